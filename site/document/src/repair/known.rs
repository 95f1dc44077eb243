//! What is generally known of how people write: common symbols, emoji of technical documents, frequent
//! ideographs, and a few sentences in many languages, from which `likelihood` learns what letters stand
//! beside each other.

/// Symbols that stand in technical prose and drawings everywhere.
pub(super) const COMMON_SYMBOLS: &str = "─│┌┐└┘├┤┬┴┼’“”‘–—…•→←↑↓✓✅❌⚠▼▲►◄●■\u{fe0f}";
/// Symbols that are met now and then.
pub(super) const KNOWN_SYMBOLS: &str = "═║╔╗╚╝╠╣╦╩╬━┃╭╮╯╰█▀▄▌▐░▒▓○□◆◇▶◀△▽★☆✔✗✘✕↔⇒⇐⇔↕↗↘↙↖↳↵⟶⟵≤≥≠≈∞√∑∆∈∀∃∅\
     „‚‹›†‡‰€₺₽™№ℹ⏱⏰⏳⌛⚡⚙☁☑☐✏✉❗❓❤➡⬅⬆⬇➕➖▪▫◦‣⁃′″−∙⌘⌥⇧⏎␣⚖⚠⚓⚒⛔⛓";
/// Emoji that head sections and items of technical documents.
pub(super) const COMMON_EMOJI: &str = "🚀🔥💡📝🎉🐛✨📊📈📉🔒🔐🔑🔄🎯🏆🏗🏛🏢📦📚📖🔍🔎🔧🔨🛠🌐🌍👍👤👥💻📱📡📋📌📎📅⭐💾🗄🗃🗂📁📂📄🛡🚨🚦\
     🧪🧩🧠🤖🤝💬💰💳🛒🚚🎨🔗🔔📢🐳🐍🦀🏃🏠🌟🟢🟡🔴🟠🔵🎓🏭🏷💪🙏👉👇☸🎁🎬📞📧🚧🚫🆕🆗🔀⏸🖥🖼🗺🗓🗑";
/// Emoji that are met now and then.
pub(super) const KNOWN_EMOJI: &str = "🔁🔃😀😁😂😃😄😅😉😊😍😎😢😭🤔🤷🙂🙃🙌👀👋👎👏👌👨👩💥💯💚💙💛💜🖤💎💊🕐🕒🕵🕸🔌🔋🔆🔇🔊🔬🔭🔮🔹🔸\
     🏁🏅🏥🏦🏪🏬🏨🏫🏰🏙🏖🏝🎛🎮🎲🎵🎶🎤🎧🎪🎭🎫🎟🎢🌈🌊🌱🌲🌳🌴🍀🍎🍕🍺☕🍞🐢🐙🐘🐇🐈🐕🐧🐞🦄🦊🚗🚕🚌🚂🚢🚁🚲🛍🛎🛑🛣🛤🥇🥈🥉🧭🧰🧱🧵🧹🪄🪝🪣🛰🛸📸📷📹📺📻📜📃📑📐📏📍📒📓📔📕📗📘📙📤📥📨📩📪📫📬📭📮📯📲📳📶🔓🔏🔖🔘🔙🔚🔛🔜🔝🇩🇪🇫🇷🇬🇧🇹🇷🇺🇸🇪🇺";
/// The most frequent Han characters of Chinese and Japanese prose, and East Asian punctuation.
pub(super) const COMMON_HAN: &str = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家\
     种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运笔系统服务数据库请求响应时间架构接口缓存配置日志监控部署测试订单支付用户的消息队列、。，；：？！（）「」『』《》【】・ー日本語図書設計文章説明例次表示実行確認使用方法場合必要変更追加削除処理機能情報対応開発環境";

/// Prose of no particular source. Longer where a code page loses frequent letters of the script.
pub(super) const SAMPLES: &[&str] = &[
    // German
    "Die Größe der Warteschlange hängt davon ab, wie schnell die Dienste antworten. Für jede Übertragung \
     führen wir Buch; fällt ein Gerät aus, übernimmt ein anderes. Änderungen müssen geprüft werden, bevor \
     sie veröffentlicht werden. Natürlich könnte man auch später zurückkehren. Öffnen, schließen, löschen. \
     Über Ärger, Öl und Übermut spricht man „später“ – außerdem heißt es: „Grüß Gott“.",
    // French
    "À la fin de l’été, l’équipe a déjà créé une réponse à la première requête. Il y a là une difficulté : \
     où faut-il placer le cœur du système, à côté du réseau ou à l’intérieur ? Grâce à cette méthode, voilà \
     ce qu’on peut vérifier dès à présent, même à distance. C’est à vous de décider, jusqu’à demain. Ça ira, \
     bien sûr. « État prévu », dit-elle. À propos, ceci reste à faire. Être prêt à temps, déjà, voilà.",
    // Spanish, Portuguese, Italian
    "Él también está aquí. El año próximo habrá más información según la decisión. ¿Qué ocurrió después? \
     África, Ángel, Índice, así, país, día, había, allí, todavía, aplicación, página, número, código, último. \
     Não há solução fácil: são necessárias várias informações. Você já está à espera da próxima versão, às \
     vezes à noite. Índice, Água, Árvore, país, saída, também, é possível, ação, coração, português, São João. \
     È più facile così: la città è già là, però perché no? Sarà la qualità, l’attività, la possibilità. ",
    // Polish, Czech, Slovak, Hungarian, Romanian
    "Łatwo powiedzieć, że wszystko działa. Każdy błąd można znaleźć, jeśli się go szuka. Łódź, Łukasz, Żółw, \
     źródło, ćwiczenie, będzie, również, świat, część, się, są, także. Łącznie z siecią. Środa. \
     Každá služba má svůj účel. Příliš často se něco změní, a proto je třeba číst záznamy. Který člověk, ještě, \
     když, tři, začátek, věc, řešení, síť, dům, účet, čas, české, počítač, Česko, Říká, Šest, Žádný. Číslo. Ďalší. \
     A rendszer gyorsan válaszol, ha a szükséges erőforrás elérhető. Előtt, után, szükség, idő, így, több, jó, \
     Így, Írás, Április, Őszi, Útvonal, között, működik. Și în țară, această situație, către, Întrebare, câte.",
    // Turkish
    "Şirketin çalışanları İstanbul’da buluştu ve yeni sistemi değerlendirdi. Şimdi her şey daha iyi çalışıyor. \
     Güvenlik için şifreler düzenli olarak değiştirilmelidir. Şu anda, işlem, ağ, sağlık, değişken, öğrenci, \
     Çok önemli bir gün. İyi, ışık, yazılım, bağlantı, Şehir, Özet, Ücret, kullanıcı, sunucu, başarılı, geçiş.",
    // Danish, Norwegian, Swedish, Finnish, Icelandic
    "På søndag går vi ud for at få luft; børnene må også være med. Både før og efter. Över ån låg en liten ö. \
     Är det så? Där är någon. Åtgärd, även, själv, år, få, på, då, när. Ääni, päivä, tämä, että, sitä, hyvä, työ. \
     Það er ekki það sama og áður. Ísland, Ég, íslenska, þú, við, Ár, Í dag.",
    // Russian
    "Система состоит из нескольких сервисов, и каждый сервис отвечает за свою часть данных. Если что-то \
     случается, сообщение сразу появляется в журнале. Это простая схема: запрос приходит, обрабатывается и \
     возвращается ответ. Все изменения сохраняются в базе, а после проверки становятся доступны. Я знаю, что \
     эта страница ещё не готова. С другой стороны, новая версия работает быстрее. Нужно указать имя, роль и \
     срок. Пользователь входит в систему с паролем. Состояние, список, вся, мся, тся, ться, моя, своя, твоя, \
     для, время, себя, меня, после, есть, может быть, сейчас, здесь, если, со всеми, самостоятельно, объясняет, \
     является, большая, новая, последняя, ясно, январь, язык, яркий, эти, этот, \
     следует, использование, связь, сеть, сервер, статус, история, лекция, статья, семья, статистика, сторона, страница, страна, \
     стол, столица, стать, слой, слово, способ, строка, ставит, стоит, проверяет, меняет, выполняет, позволяет. \
     Россия, Роль, Рост, Режим, Работа, Результат. Настройка, На, Не, Но, Наш, Нет. Надо понимать, что они пишут \
     письма своим друзьям, а дети смотрят на снег и смеются. Осень пришла, листья стали жёлтыми. Сегодня с утра \
     светит солнце, и мы с сестрой идём в лес за ягодами. Он сказал, что всё получится. Я думаю, она права. Мы \
     с вами согласны: надо ещё раз всё проверить. Из-за ошибки служба остановилась на час. Несколько дней спустя \
     появилась новость, которая всех удивила. Это место известно с давних времён. Сколько стоит эта вещь?",
    // Ukrainian, Bulgarian, Serbian
    "Система складається з кількох служб, і кожна з них відповідає за свої дані. Це означає, що зміни \
     з’являються не одразу. Її, їх, мої, єдиний, я, якщо, після, сьогодні, є, з, із собою, ґрунт, її, українська. \
     Това е проста система, която съхранява данните си. Сега ще видим как се променя. Ово је систем који све ради.",
    // Greek
    "Το σύστημα αποτελείται από πολλές υπηρεσίες και κάθε υπηρεσία έχει τον δικό της ρόλο. Όταν έρχεται ένα \
     αίτημα, ο διακομιστής το ελέγχει πρώτα και ύστερα απαντά. Πρέπει να υπάρχει τρόπος να δούμε τι συμβαίνει. \
     Ο χρήστης μπορεί να γράψει, να διαβάσει και να αλλάξει τα αρχεία. Τώρα είναι αργά· αύριο θα ξέρουμε περισσότερα. \
     Πριν από χρόνια, στην πόλη, οι άνθρωποι περπατούσαν στους δρόμους. Παράδειγμα, Πίνακας, Περιγραφή, Προσοχή, \
     Νέο, Να, Νερό, Νόμος, Ναι. Είναι κύριο, δύο, κύκλος, ύπνος, λύση, σύνδεση, πολύ, μύθος, δύναμη, αυτού, ευθύς, \
     έργο, έως, μέρα, γέρος, ώρα, χώρα, χέρι, καιρός, νερό, ήρθε, φέρνει, γρήγορα, ρυθμίσεις, σειρά, πρόγραμμα, \
     αριθμός, άρθρο, κέντρο, μέτρο, έλεγχος, τέλος, μέλος, δέντρο, ένας, έχουμε, ξέρω, σήμερα, ημέρα, μητέρα.",
    // English
    "It’s the user’s own choice — don’t guess. “Read it twice,” she said, “and then once more.” That’s all… \
     We’re done: 10–20 ms, 5 €, 20 °C, ±3, café, naïve. Let’s “try” this; they’re ‘fine’. Naïveté, résumé, façade.",
    // Chinese, Japanese
    "系统由多个服务组成，每个服务都有自己的数据库。不是所有的请求都需要缓存。我们可以在这里看到结果，也可以不看。\
     このシステムは複数のサービスで構成されています。データを保存してから、次の処理を行います。テスト、サーバー、ユーザー。",
];
