"""Chinese captions: noun phrase, place, manner and verb, in several sentence shapes."""

import random
from typing import Final

from eapg_split.eapg import words
from eapg_split.eapg.attributes import Attributes

# Words that the model does not know, as prompts have them.
DISTRACTORS: Final = ("可爱", "开心", "美丽", "有趣", "神奇", "聪明", "孤独", "奇怪")
_STYLES: Final = ("高清", "电影感", "卡通风格", "高质量", "4k")
_PREFIXES: Final = ("一段", "一个", "生成一段", "请生成一段", "")


def chinese(attributes: Attributes, rng: random.Random) -> str:
    """A Chinese caption that says exactly the attributes that are not `None`."""
    if attributes.scene is None:
        text = _tags(attributes, rng)
    elif attributes.scene == "city" and attributes.time == "night" and rng.random() < 0.5:
        text = _night_view(attributes, rng)
    else:
        text = rng.choice((_sentence, _sentence, _sentence, _modified, _tags, _predicate))(attributes, rng)
    if rng.random() < 0.05:
        text += "，" + rng.choice(_STYLES)
    return text + rng.choices(("", "。", "！"), (0.77, 0.2, 0.03))[0]


def _sentence(attributes: Attributes, rng: random.Random) -> str:
    """As in "夜晚，一只红色的猫在雪地里慢慢地向左奔跑，镜头拉近"."""
    time, place = _word("time", attributes, rng), _place(attributes, rng)
    subject, motion = _noun(attributes, rng), _motion(attributes, rng)
    comma = rng.choice(("，", ""))
    if place and rng.random() < 0.4:
        text = f"{place}{comma}{subject}{motion}"
    elif place and not motion and rng.random() < 0.5:
        text = f"{place}的{subject}"
    else:
        text = f"{subject}{place}{motion}"
    if time:
        text = rng.choice((f"{time}，{text}", f"{time}{text}", f"{time}的{text}", f"{text}，{time}"))
    return _camera(text, attributes, rng)


def _modified(attributes: Attributes, rng: random.Random) -> str:
    """As in "在雪地里向左奔跑的红色小猫": everything before the noun, as a title."""
    time, place = _word("time", attributes, rng), _place(attributes, rng)
    motion = _motion(attributes, rng)
    clause = f"{place}{motion}"
    noun = f"{_colour(attributes, rng)}{_name(attributes, rng)}"
    counter = _counter(attributes, rng)
    text = f"{counter}{clause}的{noun}" if clause else f"{counter}{noun}"
    if time:
        text = rng.choice((f"{time}，{text}", f"{time}{text}", f"{time}的{text}"))
    if rng.random() < 0.2:
        text = f"{rng.choice(_PREFIXES)}{text}的{rng.choice(('视频', '短片', '动画', '画面'))}"
    return _camera(text, attributes, rng)


def _predicate(attributes: Attributes, rng: random.Random) -> str:
    """As in "这只猫是红色的，它在雪地里向左奔跑": the colour after the noun."""
    colour = _word("colour", attributes, rng)
    subject = f"{_counter(attributes, rng)}{_name(attributes, rng)}"
    clause = f"{_place(attributes, rng)}{_motion(attributes, rng)}"
    text = subject + (f"是{colour}的" if colour else "")
    if clause:
        text += rng.choice(("，它", "，")) + clause if colour else clause
    time = _word("time", attributes, rng)
    return _camera(rng.choice((f"{time}，{text}", f"{text}，{time}")) if time else text, attributes, rng)


def _tags(attributes: Attributes, rng: random.Random) -> str:
    """As in "红色的猫，向左，雪地，夜晚": a list of tags."""
    tags = [_noun(attributes, rng)] if attributes.scene else [_word("colour", attributes, rng)]
    tags += [_word(name, attributes, rng) for name in ("direction", "speed", "background", "time", "camera")]
    if rng.random() < 0.4:
        rng.shuffle(tags)
    return rng.choice(("，", "，", "、", " ")).join(filter(None, tags)) or rng.choice(
        ("视频", "一段视频", "画面")
    )


def _night_view(attributes: Attributes, rng: random.Random) -> str:
    """As in "城市夜景"."""
    city = words.CHINESE["scene"]["city"]
    name = city[0] if rng.random() < 0.6 else rng.choice(city)
    view = rng.choice(words.NIGHT_VIEWS["zh"])
    text = f"{_colour(attributes, rng)}{name}{rng.choices(('', '的'), (0.8, 0.2))[0]}{view}"
    rest = [_word(name, attributes, rng) for name in ("direction", "speed", "background")]
    return _camera("，".join([text, *filter(None, rest)]), attributes, rng)


def _noun(attributes: Attributes, rng: random.Random) -> str:
    """As in "一只红色的小猫"."""
    odd = rng.choice(DISTRACTORS) + "的" if rng.random() < 0.06 else ""
    return f"{_counter(attributes, rng)}{odd}{_colour(attributes, rng)}{_name(attributes, rng)}"


def _counter(attributes: Attributes, rng: random.Random) -> str:
    counter = words.CHINESE_COUNTERS[attributes.scene or ""]
    return rng.choices(("", f"一{counter}", f"这{counter}", "一个"), (0.4, 0.5, 0.05, 0.05))[0]


def _name(attributes: Attributes, rng: random.Random) -> str:
    names = words.CHINESE["scene"][attributes.scene or ""]
    return names[0] if rng.random() < 0.5 else rng.choice(names)


def _colour(attributes: Attributes, rng: random.Random) -> str:
    colour = _word("colour", attributes, rng)
    return colour + rng.choice(("的", "的", "")) if colour else ""


def _motion(attributes: Attributes, rng: random.Random) -> str:
    """Manner, direction and verb: "慢慢地向左奔跑"; empty now and then when nothing is said of the motion."""
    direction, speed = _word("direction", attributes, rng), _word("speed", attributes, rng)
    if not direction and not speed and rng.random() < 0.5:
        return ""
    scene = attributes.scene or ""
    verb = rng.choice(
        (*words.CHINESE_VERBS[scene], *words.CHINESE_VERBS[scene], *words.ANY_SCENE_VERBS["zh"])
    )
    # "起飞飞行" is no Chinese: a direction that is a verb already stands alone.
    if direction and direction[0] not in "向往朝从":
        verb = ""
    order = f"{speed}{direction}" if rng.random() < 0.7 else f"{direction}{speed}"
    return f"{rng.choice(('', '', '正在'))}{order}{verb}"


def _place(attributes: Attributes, rng: random.Random) -> str:
    """As in "在草地上"."""
    place = _word("background", attributes, rng)
    suffix = words.CHINESE_PLACE_SUFFIX[attributes.background or "downtown"]
    return f"在{place}{suffix}" if place else ""


def _word(name: str, attributes: Attributes, rng: random.Random) -> str:
    value = getattr(attributes, name)
    if value is None:
        return ""
    phrases = words.CHINESE[name][value]
    return phrases[0] if rng.random() < 0.4 else rng.choice(phrases)


def _camera(text: str, attributes: Attributes, rng: random.Random) -> str:
    camera = _word("camera", attributes, rng)
    if not camera:
        return text
    return rng.choice((f"{text}，{camera}", f"{camera}，{text}"))
