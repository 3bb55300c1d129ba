"""Three curves over one time, as SVG without a library."""

from html import escape
from pathlib import Path

WIDTH, PANEL, GAP, LEFT, TOP = 980, 150, 34, 70, 30
COLOURS = ("#1f5fa8", "#a8461f", "#3f7f3f")


def ticks(top: float) -> list[float]:
    step = 1.0
    while top / step > 5:
        step *= 2 if str(step)[0] in "15" else 2.5
    return [step * number for number in range(int(top / step) + 1)]


def rate(samples, at: int, span: int = 10) -> float:
    before = samples[max(0, at - span)]
    seconds = samples[at].at - before.at
    return (samples[at].receipts - before.receipts) / seconds if seconds else 0.0


def draw(file: Path, samples, marks) -> None:
    """Memory, descriptors and receipts a second; a line where something was done to the gateway."""
    panels = [
        ("resident memory, MiB", [sample.rss / (1 << 20) for sample in samples]),
        ("open file descriptors", [float(sample.descriptors) for sample in samples]),
        ("receipts a second", [rate(samples, at) for at in range(len(samples))]),
    ]
    end = max([sample.at for sample in samples] + [1.0])
    legend = TOP + len(panels) * (PANEL + GAP) + 24
    x = lambda at: LEFT + (WIDTH - LEFT - 20) * at / end  # noqa: E731
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {legend + 16 * ((len(marks) + 1) // 2) + 10}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for number, (name, values) in enumerate(panels):
        bottom, top = TOP + number * (PANEL + GAP) + PANEL, max(values + [1.0]) * 1.1
        y = lambda value, bottom=bottom, top=top: bottom - PANEL * value / top  # noqa: E731
        out.append(f'<text x="{LEFT}" y="{bottom - PANEL - 6}" font-size="12">{escape(name)}</text>')
        for tick in ticks(top):
            out.append(f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - 20}" stroke="#ddd"/><text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
        # A process that was started again begins a new line.
        path, process = "", None
        for sample, value in zip(samples, values):
            path += f"{'L' if sample.process == process else 'M'}{x(sample.at):.1f} {y(value):.1f}"
            process = sample.process
        out.append(f'<path d="{path}" fill="none" stroke="{COLOURS[number]}" stroke-width="1.2"/>')
        for at, _ in marks:
            out.append(f'<path d="M{x(at):.1f} {bottom - PANEL}V{bottom}" stroke="#999" stroke-dasharray="2 3"/>')
    bottom = TOP + len(panels) * (PANEL + GAP) - GAP
    for tick in ticks(end):
        out.append(f'<text x="{x(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g} s</text>')
    for number, (at, what) in enumerate(marks):
        out.append(f'<text x="{LEFT + (number % 2) * 450}" y="{legend + 16 * (number // 2)}" fill="#444">{at:.0f} s: {escape(what)}</text>')
    out.append("</svg>")
    file.write_text("\n".join(out) + "\n", encoding="utf-8")
