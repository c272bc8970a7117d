"""The people, companies and goods that the demo's events are about. Domains are the reserved ones of RFC 2606."""

NAMES = (
    ("Zoë", "Müller", "DE", "EUR", "zoe.mueller"),
    ("José", "García Núñez", "ES", "EUR", "jose.garcia"),
    ("Siobhán", "O’Brien", "IE", "EUR", "siobhan.obrien"),
    ("Chloé", "Lefèvre", "FR", "EUR", "chloe.lefevre"),
    ("Łukasz", "Wiśniewski", "PL", "PLN", "lukasz.wisniewski"),
    ("Åsa", "Lindström", "SE", "SEK", "asa.lindstrom"),
    ("Bjørn", "Håkonsen", "NO", "NOK", "bjorn.hakonsen"),
    ("João", "Gonçalves", "BR", "BRL", "joao.goncalves"),
    ("Ayşe", "Yılmaz", "TR", "TRY", "ayse.yilmaz"),
    ("Олена", "Шевченко", "UA", "UAH", "olena.shevchenko"),
    ("さくら", "田中", "JP", "JPY", "sakura.tanaka"),
    ("美玲", "陳", "TW", "TWD", "meiling.chen"),
    ("지우", "김", "KR", "KRW", "jiwoo.kim"),
    ("Priya", "Raghunathan", "IN", "INR", "priya.r"),
    ("Thảo", "Nguyễn", "VN", "USD", "thao.nguyen"),
    ("Chinedu", "Okafor", "NG", "USD", "chinedu.okafor"),
    ("Grace", "Thompson", "US", "USD", "grace.thompson"),
    ("Marcus", "Bell", "GB", "GBP", "marcus.bell"),
    ("Noa", "Cohen", "IL", "USD", "noa.cohen"),
    ("محمد", "الحسن", "AE", "USD", "mohamed.alhassan"),
)
"""Given name, family name, country, currency, mailbox."""
DOMAINS = ("example.com", "example.org", "example.net")
COMPANIES = (
    "Nordlicht GmbH",
    "Casa Azul S.L.",
    "Thompson & Daughters",
    "Okafor Logistics",
    "株式会社さくら",
    "Brasa Café",
)
WHOLE_UNITS = frozenset({"JPY", "KRW"})
"""Currencies without a smaller unit, so that a price is a hundredth of the number it is elsewhere."""

CAMPAIGNS = (
    ("google", "cpc", "spring-launch"),
    ("linkedin", "paid-social", "ops-leaders"),
    ("newsletter", "email", "november-digest"),
    ("partner", "referral", "agency-programme"),
)
DECLINES = (
    ("card_declined", "generic_decline", "Your card was declined."),
    ("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    ("card_declined", "lost_card", "Your card was declined."),
    ("expired_card", "expired_card", "Your card has expired."),
    ("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect."),
    ("authentication_required", "authentication_required", "The bank asks the customer to authenticate."),
)
PLANS = (("starter", 900), ("team", 4900), ("business", 19900))
MEETINGS = (("Product demo", 30), ("Onboarding call", 45), ("Quarterly review", 60))
HOSTS = (("Ines Duarte", "ines@example.com"), ("Tomáš Novák", "tomas@example.com"))
TEMPLATES = (("receipt", "Your receipt"), ("welcome", "Welcome aboard"), ("reminder", "Your meeting is tomorrow"))
BOUNCES = (
    ("hard", "5.1.1", "550 5.1.1 The email account that you tried to reach does not exist"),
    ("hard", "5.4.1", "550 5.4.1 Recipient address rejected: Access denied"),
    ("soft", "4.2.2", "452 4.2.2 The recipient's inbox is out of storage space"),
)
GOODS = (
    ("MUG-BLU-350", "Enamel mug, blue", 1800),
    ("TEE-ORG-M", "Organic T-shirt, M", 3200),
    ("BAG-01", "Tote bag", 2400),
)
CARRIERS = (("DHL", "JD0146"), ("UPS", "1Z999AA1"), ("PostNL", "3SABCD"))
