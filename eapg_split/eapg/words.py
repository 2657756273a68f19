"""The words behind each attribute value, in English and in Chinese.

Captions are composed from these tables and prompts are read with them, so whatever `understand` recognises
was also seen in training. A phrase has one meaning; where phrases overlap, the longest one wins ("高速公路" is a
street, not a speed; "down the street" is a place, not a direction).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

Words = Mapping[str, tuple[str, ...]]


def _table(**words: tuple[str, ...]) -> Words:
    return MappingProxyType({name.replace("_", "-"): phrases for name, phrases in words.items()})


def plural(noun: str) -> str:
    """The English plural of one of the scene nouns below."""
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith("sh") else "s")


ENGLISH: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "scene": _table(
            cat=("cat", "kitten", "kitty", "pussycat"),
            car=("car", "automobile", "sedan"),
            ball=("ball", "rubber ball", "beach ball"),
            bird=("bird", "seagull", "songbird"),
            boat=("boat", "sailboat", "sailing boat", "ship"),
            city=("city", "skyline", "city skyline", "cityscape", "metropolis"),
            balloon=("balloon", "hot air balloon", "hot-air balloon"),
            fish=("fish", "goldfish", "tropical fish"),
            train=("train", "railway train", "locomotive"),
            rocket=("rocket", "spaceship", "space rocket"),
        ),
        "colour": _table(
            red=("red", "scarlet", "crimson"),
            orange=("orange", "orange-coloured", "tangerine"),
            yellow=("yellow", "golden", "lemon-yellow"),
            green=("green", "emerald", "grass-green"),
            blue=("blue", "azure", "sky-blue"),
            purple=("purple", "violet", "lilac"),
            white=("white", "snow-white", "milk-white"),
            black=("black", "jet-black", "pitch-black"),
        ),
        "direction": _table(
            left=("left", "to the left", "leftward", "leftwards", "towards the left", "from right to left"),
            right=(
                "right",
                "to the right",
                "rightward",
                "rightwards",
                "towards the right",
                "from left to right",
            ),
            up=("up", "upward", "upwards", "rising", "ascending", "taking off", "into the sky"),
            down=("down", "downward", "downwards", "descending", "landing", "coming down"),
        ),
        "speed": _table(
            slow=("slowly", "slow", "at a slow pace", "unhurriedly", "in slow motion"),
            normal=("at a normal speed", "steadily", "at a steady pace", "at normal speed"),
            fast=("fast", "quickly", "rapidly", "at high speed", "at full speed", "swiftly"),
        ),
        "background": _table(
            meadow=(
                "in a meadow",
                "on the grass",
                "in a green meadow",
                "across the grassland",
                "in a grassy field",
            ),
            beach=("on the beach", "on a sandy beach", "at the seaside", "along the beach"),
            snow=(
                "in the snow",
                "on the white snow",
                "in a snowy field",
                "across the snow",
                "on snowy ground",
            ),
            desert=("in the desert", "across the desert", "in a sandy desert", "over the dunes"),
            street=("on the street", "on the road", "down the street", "down the road", "along the street"),
            mountains=(
                "in the mountains",
                "near the mountains",
                "in front of the mountains",
                "among the hills",
            ),
            sea=("on the sea", "over the sea", "at sea", "on the ocean", "over the blue sea", "on the water"),
            underwater=("underwater", "under the water", "under the sea", "at the bottom of the sea"),
            room=("in a room", "indoors", "inside a room", "in the living room"),
            downtown=("downtown", "in the city centre", "in the city center", "in the heart of the city"),
        ),
        "time": _table(
            day=("in the daytime", "by day", "during the day", "on a sunny day", "in daylight"),
            sunset=("at sunset", "at dusk", "in the sunset", "in the evening", "in the evening glow"),
            night=("at night", "in the night", "by night", "under the moon", "at nighttime"),
        ),
        "camera": _table(
            static=("static camera", "the camera is still", "fixed camera", "static shot"),
            pan=("the camera pans", "camera pan", "panning shot", "the camera is panning"),
            zoom_in=("the camera zooms in", "zoom in", "zooming in", "the camera moves closer"),
            zoom_out=("the camera zooms out", "zoom out", "zooming out", "the camera moves away"),
        ),
    }
)

CHINESE: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "scene": _table(
            cat=("猫", "小猫", "猫咪", "小猫咪", "猫儿"),
            car=("汽车", "小汽车", "轿车", "车", "小车", "跑车"),
            ball=("球", "皮球", "小球", "圆球"),
            bird=("鸟", "小鸟", "鸟儿", "飞鸟", "海鸥"),
            boat=("船", "小船", "帆船", "轮船", "船只"),
            city=("城市", "都市", "大城市", "大都市", "城市天际线"),
            balloon=("气球", "热气球", "小气球"),
            fish=("鱼", "小鱼", "鱼儿", "金鱼", "热带鱼"),
            train=("火车", "列车", "小火车"),
            rocket=("火箭", "小火箭", "宇宙飞船", "飞船"),
        ),
        "colour": _table(
            red=("红色", "红", "大红色", "鲜红色"),
            orange=("橙色", "橘色", "橙", "橘红色"),
            yellow=("黄色", "黄", "金黄色", "金色"),
            green=("绿色", "绿", "翠绿色", "碧绿色"),
            blue=("蓝色", "蓝", "天蓝色", "深蓝色"),
            purple=("紫色", "紫", "紫罗兰色"),
            white=("白色", "白", "雪白色", "纯白色"),
            black=("黑色", "黑", "漆黑色", "纯黑色"),
        ),
        "direction": _table(
            left=("向左", "往左", "朝左", "向左边", "从右向左", "从右往左", "从右到左"),
            right=("向右", "往右", "朝右", "向右边", "从左向右", "从左往右", "从左到右"),
            up=("向上", "往上", "朝上", "上升", "升空", "起飞"),
            down=("向下", "往下", "朝下", "下降", "降落"),
        ),
        "speed": _table(
            slow=("慢慢", "慢慢地", "缓慢", "缓慢地", "缓缓", "缓缓地", "慢速"),
            normal=("匀速", "匀速地", "以正常速度", "平稳地"),
            fast=("快速", "快速地", "飞快", "飞快地", "迅速", "迅速地", "高速"),
        ),
        "background": _table(
            meadow=("草地", "绿草地", "草原", "草坪", "草丛"),
            beach=("沙滩", "海滩", "海边"),
            snow=("雪地", "白雪地", "雪原", "雪野"),
            desert=("沙漠", "大沙漠", "戈壁"),
            street=("街道", "街", "路", "马路", "公路", "大街", "高速公路", "城市街道"),
            mountains=("山", "高山", "群山", "大山", "山区"),
            sea=("海", "大海", "海面", "海洋", "蓝色大海"),
            underwater=("水下", "水底", "海底", "水里", "水中"),
            room=("房间", "屋子", "室内", "客厅"),
            downtown=("市中心", "城市中心", "闹市", "繁华市区"),
        ),
        "time": _table(
            day=("白天", "大白天", "白昼", "阳光下"),
            sunset=("日落", "日落时分", "黄昏", "傍晚", "夕阳下"),
            night=("夜晚", "晚上", "夜里", "夜间", "黑夜里", "深夜", "夜色下", "夜"),
        ),
        "camera": _table(
            static=("固定镜头", "镜头固定", "镜头不动", "静止镜头"),
            pan=("镜头平移", "平移镜头", "摇镜头", "镜头横摇"),
            zoom_in=("镜头拉近", "镜头推近", "推近镜头", "镜头放大"),
            zoom_out=("镜头拉远", "镜头推远", "拉远镜头", "镜头缩小"),
        ),
    }
)

# Said without the preposition that a sentence needs, as in a list of tags: "cat, red, snow, night".
ENGLISH_TAGS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "background": _table(
            meadow=("meadow", "grass", "grassland", "green grass", "green meadow"),
            beach=("beach", "seaside", "sandy beach"),
            snow=("snow", "snowy", "white snow", "snowfield"),
            desert=("desert", "dunes"),
            street=("street", "road", "highway"),
            mountains=("mountains", "mountain", "hills"),
            sea=("sea", "ocean", "blue sea", "blue ocean"),
            underwater=("undersea",),
            room=("room", "indoor"),
            downtown=("city centre", "city center"),
        ),
        "time": _table(
            day=("day", "daytime", "daylight", "sunny"),
            sunset=("sunset", "dusk", "evening"),
            night=("night", "nighttime", "moonlit"),
        ),
    }
)
# "城市夜景" is a city by night in four characters; "夜景" says no more than the time.
NIGHT_VIEWS: Final = MappingProxyType({"en": ("night view", "night scene"), "zh": ("夜景",)})

# What each scene does. These words belong to their scene and say nothing more about the picture.
ENGLISH_VERBS: Final = _table(
    cat=("running", "dashing", "sprinting", "trotting", "racing"),
    car=("driving", "racing", "rolling", "cruising"),
    ball=("rolling", "bouncing", "bouncing along"),
    bird=("flying", "soaring", "gliding"),
    boat=("sailing", "cruising", "floating"),
    city=("passing by", "gliding by"),
    balloon=("floating", "drifting", "flying"),
    fish=("swimming", "gliding"),
    train=("travelling", "traveling", "rolling", "driving"),
    rocket=("flying", "blasting", "shooting"),
)
ENGLISH_PRESENT: Final = _table(
    cat=("runs", "dashes", "sprints", "trots"),
    car=("drives", "races", "rolls"),
    ball=("rolls", "bounces"),
    bird=("flies", "soars", "glides"),
    boat=("sails", "floats"),
    city=("passes by", "glides by"),
    balloon=("floats", "drifts", "flies"),
    fish=("swims", "glides"),
    train=("travels", "rolls", "drives"),
    rocket=("flies", "shoots"),
)
CHINESE_VERBS: Final = _table(
    cat=("奔跑", "跑", "跑步", "飞奔", "奔跑着"),
    car=("行驶", "开动", "奔驰", "行驶着"),
    ball=("滚动", "弹跳", "滚", "跳动"),
    bird=("飞", "飞翔", "飞行", "翱翔"),
    boat=("航行", "行驶", "漂浮", "航行着"),
    city=("掠过", "移过"),
    balloon=("飘", "飘动", "飘浮", "飞"),
    fish=("游", "游动", "游泳", "游来游去"),
    train=("行驶", "开动", "奔驰", "前进"),
    rocket=("飞", "飞行", "发射"),
)
ANY_SCENE_VERBS: Final = MappingProxyType(
    {"en": ("moving", "going", "heading", "moves", "goes"), "zh": ("移动", "运动", "移动着")}
)
CHINESE_COUNTERS: Final = MappingProxyType(
    {
        "cat": "只",
        "car": "辆",
        "ball": "个",
        "bird": "只",
        "boat": "艘",
        "city": "座",
        "balloon": "只",
        "fish": "条",
        "train": "列",
        "rocket": "枚",
    }
)
# What a place takes after it in "在草地上".
CHINESE_PLACE_SUFFIX: Final = MappingProxyType(
    {
        "meadow": "上",
        "beach": "上",
        "snow": "里",
        "desert": "里",
        "street": "上",
        "mountains": "间",
        "sea": "上",
        "underwater": "",
        "room": "里",
        "downtown": "",
    }
)

# Words that carry no wish at all.
ENGLISH_STOP: Final = frozenset((
    "a", "an", "the", "this", "that", "which", "these", "there", "is", "are", "was", "be", "being", "it",
    "its", "his", "her", "my", "our", "your", "i", "of", "in", "on", "at", "with", "and", "or", "by", "to",
    "into", "from", "for", "as", "while", "through", "across", "over", "under", "near", "beside", "very",
    "just", "some", "one", "please", "make", "me", "generate", "create", "show", "shows", "showing",
    "draw", "render", "want", "would", "like", "see", "short", "video", "clip", "movie", "film", "footage",
    "scene", "picture", "animation", "shot", "camera", "view", "sky", "air", "color", "colour", "colored",
    "coloured",
))  # fmt: skip
CHINESE_STOP: Final = (
    "视频", "短片", "影片", "动画", "片段", "画面", "镜头", "场景", "一段", "生成", "想看", "看到", "正在", "天空",
    "空中", "天上", "颜色", "景象", "风景", *"的地得了着过在里中上下间一只辆个艘座条列枚颗这那有是和与从到正请它段色我",
)  # fmt: skip
# Phrases that hold one of our words and mean something else: a blue sky does not make a blue bird.
OTHER_MEANINGS: Final = (
    "blue sky", "blue skies", "white cloud", "white clouds", "green tree", "green trees", "close up",
    "close-up", "right now", "traffic light", "蓝天", "白云", "绿树", "红绿灯", "山羊", "海豚", "海龟", "地球",
    "星球", "漂亮", "车站", "有趣", "白菜", "夜莺", "船长", "雪山", "路灯",
)  # fmt: skip
