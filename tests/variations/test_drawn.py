"""The numbers of a batch: cut, joined, chained, written and read."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch

from segue.errors import BadInput
from segue.variations import Address, Drawn, parse
from segue.variations.parts import PARTS

SIZE = (40, 56)


def key(count: int) -> list[Address]:
    return [Address(0, "train", 0, place, f"case {place}") for place in range(count)]


def picture(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3)).astype(np.uint8)


def test_a_part_of_a_batch_is_a_batch() -> None:
    drawn = parse("strong").draw(SIZE, key(6))
    image = picture(6)
    whole = drawn.images(image)
    assert np.array_equal(drawn[2].images(image[2:3]), whole[2:3])
    assert np.array_equal(drawn[1:5].images(image[1:5]), whole[1:5])
    assert np.array_equal(drawn[[4, 0]].images(image[[4, 0]]), whole[[4, 0]])
    assert len(drawn[-1]) == 1
    assert drawn[-1] == drawn[5]
    with pytest.raises(IndexError):
        drawn[6]


def test_joined_batches_do_what_they_did() -> None:
    """Also when one has parts that the other lacks, finer lattices or longer lists."""
    texts = (
        "elastic(cells=2) + highlights(count=3)",
        "none",
        "elastic(cells=8) + erase(count=4)",
        "highlights + motion_blur + shadow",
        "bias",
    )
    several = [parse(text).draw(SIZE, key(2)) for text in texts]
    image = picture(2)
    joined = Drawn.join(several)
    assert joined.n == 10
    found = joined.images(np.concatenate([image] * 5))
    for place, drawn in enumerate(several):
        apart = np.abs(found[2 * place : 2 * place + 2].astype(int) - drawn.images(image))
        assert apart.max() <= 1  # a finer lattice rounds otherwise
    with pytest.raises(BadInput, match="one canvas"):
        Drawn.join([Drawn.identity(1, (4, 4)), Drawn.identity(1, (4, 5))])
    with pytest.raises(BadInput, match="at least one"):
        Drawn.join([])


def test_written_and_read_again() -> None:
    drawn = parse("strong + cutmix").draw(SIZE, key(4))
    text = json.dumps(drawn.as_json())
    assert Drawn.from_json(json.loads(text)) == drawn
    assert pickle.loads(pickle.dumps(drawn)) == drawn  # workers send them
    assert drawn != parse("strong + cutmix(size=0.4)").draw(SIZE, key(4))
    assert drawn != drawn[:2]
    assert drawn != "drawn"
    with pytest.raises(BadInput, match="format 9"):
        Drawn.from_json({**drawn.as_json(), "format": 9})
    with pytest.raises(BadInput, match="no part 'colur'"):
        Drawn(1, SIZE, {"colur": np.zeros((1, 2))})
    with pytest.raises(BadInput, match="2 samples, not 1"):
        Drawn(1, SIZE, {"blur": np.zeros((2, 1))})


def test_a_drawn_tells_what_it_does() -> None:
    assert repr(parse("none").draw(SIZE, key(2))) == "Drawn(2 of (40, 56): identity)"
    assert repr(parse("rot90 + blur").draw(SIZE, key(2))).endswith("blur in 2)")


def test_the_geometric_and_the_photometric_part() -> None:
    drawn = parse("strong").draw(SIZE, key(8))
    assert set(drawn.geometric().active) == {"matrix", "bend"}
    assert not set(drawn.photometric().active) & {"matrix", "bend"}
    image, labels = picture(8), picture(8)[..., 0] % 3
    assert np.array_equal(drawn.geometric().carry(labels)[0] == 255, ~drawn.geometric().carry(labels)[1])
    kept = parse("colour + noise + jpeg").draw(SIZE, key(8))
    assert np.array_equal(kept.carry(labels)[0], labels)
    assert not np.array_equal(kept.images(image), image)


def test_matrices_follow_each_other_as_they_are_written() -> None:
    """A quarter turn and then a flip is not a flip and then a quarter turn."""
    image = picture(1)[:, :, :40]
    quarter, flip = np.array([[[0, -1, 0], [1, 0, 0], [0, 0, 1]]]), np.diag([-1.0, 1, 1])[None]
    turned, flipped = Drawn(1, (40, 40), {"matrix": quarter}), Drawn(1, (40, 40), {"matrix": flip})
    one, other = turned.then(flipped), flipped.then(turned)
    assert np.array_equal(one.images(image), flipped.images(turned.images(image)))
    assert np.array_equal(other.images(image), turned.images(flipped.images(image)))
    assert not np.array_equal(one.images(image), other.images(image))


def test_a_bend_after_a_matrix_is_both_at_once() -> None:
    """What a chain does in one interpolation is what two steps do in two."""
    from segue.data.phantoms.noise import address, field

    smooth = field(address(0, "test"), SIZE, 3)
    image = np.repeat((smooth * 40 + 128).clip(0, 255)[None, ..., None], 3, -1).astype(np.float32) / 255
    first, second = parse("affine").draw(SIZE, key(1)), parse("elastic").draw(SIZE, key(1))
    once, twice = first.then(second).images(image), second.images(first.images(image))
    valid = first.then(second).carry(np.zeros((1, *SIZE), np.uint8))[1]
    assert np.quantile(np.abs(once - twice)[valid], 0.9) < 0.02


def test_each_part_followed_by_nothing_or_after_nothing_stays_itself() -> None:
    names = (
        "flips + affine + elastic + colour + equalise + gamma + bias + highlights + blur + motion_blur + sharpen"
        " + ghost + coarse + noise + jpeg + erase + cutmix + paint"
    )
    drawn = parse(names).draw(SIZE, key(4))
    of_pictures = set(PARTS) - {"turn"}
    assert set(drawn.parts) == of_pictures
    neutral = parse(names).scaled(0.0).draw(SIZE, key(4))
    assert set(neutral.parts) == of_pictures
    assert not neutral.active
    image = picture(4)
    for both in (drawn.then(neutral), neutral.then(drawn)):
        apart = np.abs(both.images(image).astype(int) - drawn.images(image))
        assert (apart > 1).mean() < 0.001
        assert np.array_equal(both.carry(image[..., 0])[0], drawn.carry(image[..., 0])[0])
    with pytest.raises(BadInput, match="not followed"):
        drawn.then(drawn[:2])


def test_two_of_a_kind_add_up() -> None:
    twice = parse("noise(strength=0.03) + noise(strength=0.04) + blur + blur + jpeg + jpeg").draw(SIZE, key(3))
    one = [parse("noise(strength=0.03)").draw(SIZE, key(3)), parse("noise(strength=0.04)").draw(SIZE, key(3))]
    assert np.all(twice.parts["noise"][:, 0] >= one[0].parts["noise"][:, 0])
    blurs = parse("blur").draw(SIZE, key(3)).parts["blur"]
    assert np.all(twice.parts["blur"] > blurs)
    with pytest.raises(BadInput, match="do not add up"):
        Drawn(1, SIZE, {"bend": np.zeros((1, 2, 6, 6))}).then(Drawn(1, SIZE, {"bend": np.zeros((1, 2, 7, 7))}))


def test_an_empty_batch_is_no_trouble() -> None:
    drawn = parse("strong + cutmix").draw(SIZE, [])
    assert drawn.images(np.zeros((0, *SIZE, 3), np.uint8)).shape == (0, *SIZE, 3)
    assert not drawn.active


def test_a_mix_looks_for_its_partner() -> None:
    drawn = parse("cutmix").draw(SIZE, key(4))
    image = picture(4)
    whole = drawn.images(image)
    assert np.array_equal(drawn[2:4].images(image[2:4]), whole[2:4])
    with pytest.raises(BadInput, match="position 0, which is not in this batch"):
        drawn[1].images(image[1:2])
    given = drawn[1].images(image[1:2], partner=image[0:1])
    assert np.array_equal(given, whole[1:2])
    x = torch.from_numpy(image).permute(0, 3, 1, 2).float() / 255
    assert torch.equal(drawn[1].images(x[1:2], partner=x[0:1]), drawn.images(x)[1:2])
    # Drawn without its partner, a sample is left alone.
    alone = parse("cutmix").draw(SIZE, key(4)[1:2])
    assert not alone.active


def test_a_rendered_batch_is_mixed_like_any() -> None:
    from segue.variations import opencv

    drawn = parse("affine + cutmix").draw(SIZE, key(4))
    image, labels = picture(4), picture(4)[..., 1] % 3
    done = [opencv.render(drawn, index, [image[index]], labels[index], SIZE) for index in range(4)]
    assert all(each.labels is not None for each in done)
    images, moved, valid = (np.stack([getattr(each, name) for each in done]) for name in ("image", "labels", "valid"))
    opencv.paste(drawn, images, moved, valid)
    expected, counts = drawn.carry(labels)
    assert np.array_equal(images, drawn.images(image))
    assert np.array_equal(moved, expected)
    assert np.array_equal(valid, counts)
