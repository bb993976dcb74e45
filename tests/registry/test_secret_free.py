"""No secret enters the registry, which is committed, through what people write."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from promptops.errors import RegistryError, VersionError
from promptops.policy import Policy
from promptops.registry.editor import Editor
from promptops.version import PromptVersion

KEY = "sk-proj-Zq7Xw9Lm4Tn2Vb8Rc5Yd1Ka3"
PLAIN = "u7-x9-plain-value"


def version(text: str) -> PromptVersion:
    return PromptVersion(text, model="small")


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Editor:
    monkeypatch.setenv("TEAM_DB_PASS", PLAIN)
    return Editor(tmp_path / "promptops.json")


@pytest.mark.parametrize("secret", [KEY, PLAIN, "postgres://ann:hunter22@db/prod"])
def test_a_prompt_that_holds_a_secret_is_refused(editor: Editor, secret: str) -> None:
    """No file appears, and the error names the next step without showing the secret."""
    with pytest.raises(VersionError, match="replace it by a variable") as caught:
        editor.save("a", version(f"Call it with {secret}: {{{{x}}}}"))
    assert secret not in str(caught.value)
    assert not Path(editor.path).exists()


@pytest.mark.parametrize("secret", [KEY, PLAIN])
def test_notes_and_reasons_are_cleaned_and_the_writer_is_warned(
    editor: Editor, secret: str
) -> None:
    """Of saves, promotions, forced ones, rollbacks and canaries."""
    with pytest.warns(UserWarning, match="a secret in the note was replaced"):
        editor.save("a", version("One {{x}}"), note=f"note {secret}")
    editor.save("a", version("Two {{x}}"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        editor.promote("a", 1, "prod", author="ann", force=True, reason=f"reason {secret}")
        editor.promote("a", 2, "prod", author="ann", force=True, reason=f"again {secret}")
        editor.rollback("a", "prod", author="ann", reason=f"back {secret}")
    assert sum("a secret in the reason" in str(each.message) for each in caught) == 3
    written = Path(editor.path).read_text()
    assert secret not in written
    assert written.count("[redacted]") == 4


@pytest.mark.filterwarnings("error")
def test_a_step_is_made_where_warnings_are_errors(editor: Editor) -> None:
    """Above all a rollback, which is in a hurry."""
    editor.save("a", version("One {{x}}"), note=f"note {KEY}")
    editor.save("a", version("Two {{x}}"))
    for number in (1, 2):
        editor.promote("a", number, "prod", author="ann", force=True, reason=f"reason {KEY}")
    back = editor.rollback("a", "prod", author="ann", reason=f"back {KEY}")
    assert back is not None
    assert back.number == 1
    assert KEY not in Path(editor.path).read_text()


@pytest.mark.parametrize("name", ["sk-summary-email-v2", "pk_000000000017", "p/u7-x9-plain-value"])
def test_a_new_prompt_is_not_named_like_a_key(editor: Editor, name: str) -> None:
    """Its rows would be those of `[redacted]`: no live call and no study was found by its name."""
    with pytest.raises(RegistryError, match="take another name") as caught:
        editor.save(name, version("One {{x}}"))
    assert name not in str(caught.value)
    assert not Path(editor.path).exists()


def test_the_reasons_of_a_policy_are_cleaned(editor: Editor) -> None:
    editor.save("a", version("One {{x}}"))
    policy = Policy(accept_constant=f"since {KEY}", accept_slices=(("tag", f"as {PLAIN}"),))
    for name in ("a", None):
        with pytest.warns(UserWarning, match="a secret in the reason of a policy"):
            editor.set_policy(policy, name)
    written = Path(editor.path).read_text()
    assert KEY not in written
    assert PLAIN not in written
    assert written.count("[redacted]") == 4
