# Sourced by scripts that compare with TRL: has TRL and what it imports in build/trl, which goes into PYTHONPATH.
scripts/require.sh pip
[[ -d build/trl/trl ]] || python3 -m pip install --quiet --disable-pip-version-check --no-deps --target build/trl trl==1.16.0 accelerate==1.15.0 \
  datasets==5.2.0 multiprocess==0.70.19 dill==0.4.1 xxhash==4.1.0 pyarrow==26.0.1 pandas==3.1.1 python-dateutil==4.0.0 six==1.17.0 pytz==2026.6 tzdata==2026.6
