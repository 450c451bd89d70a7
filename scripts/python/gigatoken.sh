# Sourced by scripts that compare with gigatoken: has it and what it imports in build/gigatoken, which goes into PYTHONPATH.
scripts/require.sh pip
[[ -d build/gigatoken/gigatoken ]] || python3 -m pip install --quiet --disable-pip-version-check --no-deps --target build/gigatoken gigatoken==0.10.0 \
  awkward==2.14.0 awkward-cpp==57 fsspec==2026.9.0 importlib-metadata==10.2.0 zipp==4.1.2 packaging==26.4
