"""Puts pictures of unpacked packages into a folder, with their captions; see pictures.sh."""
import json
import pathlib
import shutil
import sys


def write_captions(folder, captions):
    with open(folder / "metadata.jsonl", "w", encoding="utf-8") as f:
        for name, text in sorted(captions.items()):
            f.write(json.dumps({"file_name": name, "text": text}, ensure_ascii=False) + "\n")


def emoji(tmp, to):
    """Each emoji once, without the variants of skin."""
    named = json.loads((tmp / "emojibase-data/en/data.json").read_text())
    labels = {e["hexcode"].replace("-FE0F", "").lower(): e["label"] for e in named}
    captions = {}
    for picture in sorted((tmp / "emoji-datasource-google/img/google/64").glob("*.png")):
        label = labels.get(picture.stem.replace("-fe0f", "").lstrip("0"), labels.get(picture.stem.replace("-fe0f", "")))
        if label:
            shutil.copy(picture, to)
            captions[picture.name] = label
    write_captions(to, captions)


def openmoji(tmp, to):
    from resvg_py import svg_to_bytes

    named = {e["hexcode"]: e["annotation"] for e in json.loads((tmp / "openmoji/data/openmoji.json").read_text())}
    for kind in ["color", "black"]:
        (to / kind).mkdir()
        captions = {}
        for drawing in sorted((tmp / "openmoji" / kind / "svg").glob("*.svg")):
            if drawing.stem in named:
                name = drawing.stem + ".png"
                (to / kind / name).write_bytes(bytes(svg_to_bytes(svg_path=str(drawing), width=128, height=128)))
                captions[name] = named[drawing.stem]
        write_captions(to / kind, captions)


def tuxpaint(tmp, to):
    captions = {}
    stamps = tmp / "tuxpaint-stamps-default/usr/share/tuxpaint/stamps"
    for picture in sorted(stamps.rglob("*.png")):
        text = picture.with_suffix(".txt")
        if text.exists():
            name = "-".join(picture.relative_to(stamps).parts)
            shutil.copy(picture, to / name)
            captions[name] = text.read_text(encoding="utf-8").splitlines()[0].rstrip(".!").strip()
    write_captions(to, captions)


def idx(tmp, to):
    for file in (tmp / "idx").iterdir():
        if "ubyte" in file.name:
            shutil.copy(file, to)


if __name__ == "__main__":
    name, tmp, to = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    to.mkdir()
    {"emoji": emoji, "openmoji": openmoji, "tuxpaint": tuxpaint, "mnist": idx, "fashion": idx}[name](tmp, to)
