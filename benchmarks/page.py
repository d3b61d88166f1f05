"""What a page costs and loses: its size, the first text, a redraw of the temperature, and bits per character.

Usage: python benchmarks/page.py MODEL TEXT

MODEL is a .keras file of characters, TEXT a file that the model has not been trained on. The bits are counted by the
page's engine in Node. The rest is measured in Chromium, driven by Playwright: the fastest of five first texts after the
page was asked for; and at 100 positions of the slider a redraw of 400 characters, in processor time of the page's
thread.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[1]
_SCORE = f"""
import {{ readFile }} from "node:fs/promises";
const {{ Model, Reading }} = await import({json.dumps((ROOT / "tfgen/page/engine.mjs").as_uri())});
const [header, weights, text] = process.argv.slice(1);
const model = new Model(JSON.parse(await readFile(header)), new Uint8Array(await readFile(weights)));
const reading = new Reading(model);
for (const id of model.encode(String(await readFile(text))).ids) if (id !== undefined) reading.read(id);
console.log(reading.bits.reduce((a, b) => a + b) / reading.bits.length);
"""
_DRAG = """async (temperature) => {
  const sheet = document.querySelector(".paper");
  const dial = document.querySelector(".column input[type=range]");
  dial.value = temperature;
  dial.dispatchEvent(new Event("input"));
  while (sheet.getAttribute("aria-busy") === "true") await new Promise((go) => setTimeout(go, 0));
  sheet.getBoundingClientRect(); // laid out
}"""


def main(model: str, text: str) -> None:
    """Print a Markdown table."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    import browser_support as support

    from tfgen import model_files
    from tfgen.instant.reading import read
    from tfgen.page.assembling import assembled
    from tfgen.page.contents import contents

    vocabulary, layers = read(model)
    provenance = model_files.read_config(model)["provenance"]
    print("| weights | bytes | s to the first text | redraw, ms: median | 95 of 100 below | bits per character |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place, support.chromium() as browser:
        folder = pathlib.Path(place)
        for weights in ("int8", "float16", "float32"):
            path = folder / "page.html"
            path.write_text(assembled(vocabulary, layers, "page", weights, provenance), encoding="utf-8")
            firsts = []
            for _ in range(5):
                with support.opened(browser, path) as watched:
                    firsts.append(watched.page.evaluate("performance.getEntriesByName('written')[0].startTime"))
            with support.opened(browser, path) as watched:
                times = redraws(watched.page)
            bits = scored(contents(vocabulary, layers, weights), folder, text)
            speeds = f"{min(firsts) / 1000:.2f} | {times[49]:.0f} | {times[94]:.0f}"
            print(f"| {weights} | {path.stat().st_size:,} | {speeds} | {bits:.4f} |", flush=True)


def redraws(page):
    """Give the milliseconds of each, sorted."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent():
        metrics = session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(each["value"] for each in metrics if each["name"] == "TaskDuration")

    times = []
    for i in range(100):
        begun = spent()
        page.evaluate(_DRAG, 0.02 * i)
        times.append(spent() - begun)
    return sorted(times)


def scored(model, folder, text):
    """Give bits per character, as the engine counts them."""
    (folder / "header").write_text(json.dumps(model.header))
    (folder / "weights").write_bytes(model.weights)
    command = ["node", "--input-type=module", "-e", _SCORE, folder / "header", folder / "weights", text]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
