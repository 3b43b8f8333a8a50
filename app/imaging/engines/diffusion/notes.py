"""What a person should know about a picture that was drawn all the same."""

from app.imaging.engines.diffusion.recipes import Size
from app.imaging.ports import Note

# CJK Unified Ideographs. The text encoders of SD and SDXL were trained on English captions.
HAN = range(0x4E00, 0xA000)


def about_prompt(prompt: str, cut_tokens: int) -> list[Note]:
    """Before and after the text encoder."""
    notes = []
    if any(ord(character) in HAN for character in prompt):
        message = "This model hardly understands Chinese; translate the description to English first."
        notes.append(Note("prompt_chinese", message))
    if cut_tokens:
        message = f"The description is too long for the model: its last {cut_tokens} tokens were not read."
        notes.append(Note("prompt_cut", message))
    return notes


def about_pictures(drawn: Size, size: Size, *, unsafe: int, blank: int, screened: bool) -> list[Note]:
    """What became of them."""
    notes = []
    if max(size[0] / drawn[0], size[1] / drawn[1]) > 1.05:
        notes.append(
            Note("image_enlarged", f"Drawn at {drawn[0]}×{drawn[1]}, which this model does well, and enlarged.")
        )
    if unsafe:
        notes.append(Note("image_unsafe_left_out", f"{unsafe} of the pictures did not pass the safety checker."))
    if blank:
        notes.append(Note("image_blank_left_out", f"{blank} of the pictures came out blank."))
    if not screened:
        notes.append(Note("image_unscreened", "This model has no safety checker; look at the picture before using it."))
    return notes
