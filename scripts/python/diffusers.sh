# Sourced by scripts that compare with diffusers: has it and what it imports in build/diffusers, which goes into PYTHONPATH.
scripts/require.sh pip
[[ -d build/diffusers/diffusers ]] || python3 -m pip install --quiet --disable-pip-version-check --no-deps --target build/diffusers diffusers==0.42.1 pillow==13.0.0 importlib_metadata==9.0.0 zipp==4.1.0
