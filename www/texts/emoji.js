// Emoji by name: `:smile:` is 😄. The names are those that GitHub, Slack and others have in common.
// Pure.

/** Names and characters in turn. */
const TABLE = `
smile 😄 smiley 😃 grin 😁 grinning 😀 laughing 😆 joy 😂 rofl 🤣 sweat_smile 😅 blush 😊 innocent 😇 slightly_smiling_face 🙂 upside_down_face 🙃 wink 😉 relieved 😌
heart_eyes 😍 star_struck 🤩 kissing_heart 😘 yum 😋 stuck_out_tongue 😛 stuck_out_tongue_winking_eye 😜 zany_face 🤪 hugs 🤗 thinking 🤔 shushing_face 🤫 zipper_mouth_face 🤐
raised_eyebrow 🤨 neutral_face 😐 expressionless 😑 smirk 😏 unamused 😒 roll_eyes 🙄 grimacing 😬 lying_face 🤥 pensive 😔 sleepy 😪 sleeping 😴 mask 😷 nauseated_face 🤢 sneezing_face 🤧
hot_face 🥵 cold_face 🥶 dizzy_face 😵 exploding_head 🤯 cowboy_hat_face 🤠 partying_face 🥳 sunglasses 😎 nerd_face 🤓 confused 😕 worried 😟 frowning 🙁 open_mouth 😮 astonished 😲
flushed 😳 pleading_face 🥺 fearful 😨 cold_sweat 😰 cry 😢 sob 😭 scream 😱 disappointed 😞 weary 😩 yawning_face 🥱 triumph 😤 angry 😠 rage 😡 skull 💀 poop 💩 clown_face 🤡 ghost 👻
alien 👽 robot 🤖 wave 👋 raised_hand ✋ vulcan_salute 🖖 ok_hand 👌 crossed_fingers 🤞 point_left 👈 point_right 👉 point_up ☝️ point_down 👇 +1 👍 thumbsup 👍 -1 👎 thumbsdown 👎
fist ✊ facepunch 👊 clap 👏 raised_hands 🙌 open_hands 👐 handshake 🤝 pray 🙏 writing_hand ✍️ muscle 💪 eyes 👀 brain 🧠 speech_balloon 💬 zzz 💤 facepalm 🤦 shrug 🤷 bow 🙇
heart ❤️ orange_heart 🧡 yellow_heart 💛 green_heart 💚 blue_heart 💙 purple_heart 💜 black_heart 🖤 broken_heart 💔 sparkling_heart 💖 100 💯 boom 💥 fire 🔥 sparkles ✨ star ⭐ star2 🌟
dizzy 💫 zap ⚡ sunny ☀️ cloud ☁️ rainbow 🌈 umbrella ☔ snowflake ❄️ snowman ⛄ droplet 💧 ocean 🌊 earth_africa 🌍 moon 🌙 dog 🐶 cat 🐱 mouse 🐭 fox_face 🦊 bear 🐻 panda_face 🐼
monkey 🐒 see_no_evil 🙈 hear_no_evil 🙉 speak_no_evil 🙊 chicken 🐔 penguin 🐧 bird 🐦 owl 🦉 frog 🐸 turtle 🐢 snake 🐍 whale 🐳 dolphin 🐬 octopus 🐙 crab 🦀 bug 🐛 bee 🐝 unicorn 🦄
seedling 🌱 evergreen_tree 🌲 cactus 🌵 four_leaf_clover 🍀 rose 🌹 sunflower 🌻 tulip 🌷 mushroom 🍄 apple 🍎 banana 🍌 strawberry 🍓 pizza 🍕 hamburger 🍔 cookie 🍪 cake 🍰 birthday 🎂
coffee ☕ tea 🍵 beer 🍺 beers 🍻 wine_glass 🍷 champagne 🍾 tada 🎉 balloon 🎈 gift 🎁 trophy 🏆 medal_sports 🏅 soccer ⚽ basketball 🏀 guitar 🎸 musical_note 🎵 art 🎨 game_die 🎲
house 🏠 school 🏫 hospital 🏥 bike 🚲 car 🚗 bus 🚌 train 🚆 airplane ✈️ rocket 🚀 ship 🚢 anchor ⚓ construction 🚧 hourglass ⌛ watch ⌚ alarm_clock ⏰ phone ☎️ computer 💻 keyboard ⌨️
floppy_disk 💾 camera 📷 bulb 💡 battery 🔋 electric_plug 🔌 book 📖 books 📚 memo 📝 pencil2 ✏️ paperclip 📎 pushpin 📌 calendar 📅 chart_with_upwards_trend 📈 mailbox 📫 package 📦
lock 🔒 unlock 🔓 key 🔑 hammer 🔨 wrench 🔧 gear ⚙️ link 🔗 mag 🔍 bell 🔔 no_bell 🔕 loudspeaker 📢 warning ⚠️ no_entry ⛔ white_check_mark ✅ heavy_check_mark ✔️ x ❌ question ❓
exclamation ❗ recycle ♻️ arrow_up ⬆️ arrow_down ⬇️ arrow_left ⬅️ arrow_right ➡️ new 🆕 checkered_flag 🏁 triangular_flag_on_post 🚩 white_flag 🏳️ rainbow_flag 🏳️‍🌈
`.trim().split(/\s+/);

/** name → character */
export const EMOJI = new Map(Array.from({ length: TABLE.length / 2 }, (_, index) => [TABLE[2 * index], TABLE[2 * index + 1]]));
