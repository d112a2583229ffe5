"""`README.md` of a version: what the model is for, how good it is, and under which terms."""

from pathlib import Path

from senet.export.report import Report

_SHOWN = 20


def write(report: Report, labels: tuple[str, ...], directory: Path) -> None:
    """Writes the card.

    Args:
        report: of the export.
        labels: names of the classes.
        directory: of the version.
    """
    (directory / "README.md").write_text(render(report, labels), encoding="utf-8")


def render(report: Report, labels: tuple[str, ...]) -> str:
    """The card as Markdown, after Mitchell et al. 2019, "Model Cards for Model Reporting"."""
    shown = ", ".join(labels[:_SHOWN])
    more = f" and {len(labels) - _SHOWN:,} more" if len(labels) > _SHOWN else ""
    accuracy = report.variants[0].accuracy
    measured = (
        "- not measured"
        if accuracy is None
        else f"- fp32, {accuracy.images:,} photos ({accuracy.dataset}): top-1 {accuracy.top1:.2%},"
        f" top-5 {accuracy.top5:.2%}"
    )
    lines = [
        f"# {report.name}, version {report.version}",
        "",
        f"Classifies a photo as one of {report.classes:,} classes: {shown}{more}.",
        "",
        "## Model",
        "",
        f"- Architecture: {report.architecture}",
        f"- Weights: {report.source.weights}",
        f"- Licence: {report.source.licence}",
        f"- Files: {', '.join(variant.file for variant in report.variants)}",
        "",
        "## Accuracy",
        "",
        measured,
        *(f"- {note}" for note in report.notes),
        "",
        "Every precision, the gates and the machine are in [report.md](report.md).",
        "",
        "## Limits",
        "",
        "- Every photo gets one of the classes above, whatever it shows.",
        "- Accuracy was measured on the photos named, and says nothing of photos of another kind.",
    ]
    return "\n".join(lines) + "\n"
