# Sourced by the scripts that compare with Python: makes .venv with the pinned
# packages of requirements.txt when it is missing, and sets $python.
python=.venv/bin/python
if [ ! -x "$python" ]; then
  scripts/require.sh venv
  python3 -m venv .venv
  "$python" -m pip install --quiet -r scripts/python/requirements.txt
fi
