"""Picture: an SVG of ours on the page, in which a task is chosen by mouse or keyboard.

`st.html` takes no SVG. The script puts in what Python has drawn and escaped, and says which part was chosen; nothing
else of the page is touched, and nothing is fetched.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import streamlit as st

__all__ = ["picture"]

_SCRIPT = """
export default function ({ parentElement, data, setTriggerValue }) {
  const place = parentElement.querySelector(".picture");
  if (place.drawn !== data.svg) {
    const held = place.getRootNode().activeElement?.dataset?.task;
    place.innerHTML = data.svg;
    place.drawn = data.svg;
    for (const node of place.querySelectorAll("[data-task]")) if (node.dataset.task === held) node.focus();
  }
  const choose = (event) => {
    const node = event.target.closest("[data-task]");
    if (node) setTriggerValue("chosen", node.dataset.task);
  };
  place.onclick = choose;
  place.onkeydown = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(event);
  };
}
"""


def picture(svg: str, key: str) -> str | None:
    """Draw the picture; the `data-task` of the part that was chosen just now. `svg` must hold escaped text alone."""
    chosen = _mount()(data={"svg": svg}, key=key, on_chosen_change=lambda: None).chosen
    return None if chosen is None else str(chosen)


@cache
def _mount() -> Any:
    """The component, which is registered once in a process."""
    css = files("dashboard").joinpath("parts", "tasks", "picture.css").read_text(encoding="utf-8")
    return st.components.v2.component(
        "switchgear_picture", html='<div class="picture"></div>', css=css, js=_SCRIPT
    )
