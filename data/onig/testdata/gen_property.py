"""Write ../property_table.go: the characters of each property that Oniguruma knows, asked of it through tokenizers.

Usage: python gen_property.py > ../property_table.go   (needs tokenizers)
"""
import base64

from tokenizers import Regex, pre_tokenizers

CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
TEXTS = ["".join(map(chr, CODES[a:a + 8192])) for a in range(0, len(CODES), 8192)]

CATEGORIES = """Any Assigned C Cc Cf Cn Co L LC Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs
Other Control Format Unassigned Private_Use Letter Cased_Letter Lowercase_Letter Modifier_Letter Other_Letter Titlecase_Letter Uppercase_Letter
Mark Combining_Mark Spacing_Mark Enclosing_Mark Nonspacing_Mark Number Decimal_Number Letter_Number Other_Number Punctuation Connector_Punctuation
Dash_Punctuation Close_Punctuation Final_Punctuation Initial_Punctuation Other_Punctuation Open_Punctuation Symbol Currency_Symbol Modifier_Symbol
Math_Symbol Other_Symbol Separator Line_Separator Paragraph_Separator Space_Separator""".split()
POSIX = "Alnum Alpha Blank Cntrl Digit Graph Lower Print Punct Space Upper XDigit Word ASCII XPosixPunct PosixPunct".split()
BINARY = """ASCII_Hex_Digit AHex Alphabetic Bidi_Control Bidi_C Case_Ignorable CI Cased Changes_When_Casefolded CWCF Changes_When_Casemapped CWCM
Changes_When_Lowercased CWL Changes_When_Titlecased CWT Changes_When_Uppercased CWU Dash Default_Ignorable_Code_Point DI Deprecated Dep Diacritic Dia
Emoji Emoji_Component EComp Emoji_Modifier EMod Emoji_Modifier_Base EBase Emoji_Presentation EPres Extended_Pictographic ExtPict Extender Ext
Grapheme_Base Gr_Base Grapheme_Extend Gr_Ext Grapheme_Link Gr_Link Hex_Digit Hex Hyphen IDS_Binary_Operator IDSB IDS_Trinary_Operator IDST
ID_Continue IDC ID_Start IDS Ideographic Ideo Join_Control Join_C Logical_Order_Exception LOE Lowercase Math Noncharacter_Code_Point NChar
Other_Alphabetic OAlpha Other_Default_Ignorable_Code_Point ODI Other_Grapheme_Extend OGr_Ext Other_ID_Continue OIDC Other_ID_Start OIDS
Other_Lowercase OLower Other_Math OMath Other_Uppercase OUpper Pattern_Syntax Pat_Syn Pattern_White_Space Pat_WS Prepended_Concatenation_Mark PCM
Quotation_Mark QMark Radical Regional_Indicator RI Sentence_Terminal STerm Soft_Dotted SD Terminal_Punctuation Term Unified_Ideograph UIdeo Uppercase
Variation_Selector VS White_Space WSpace XID_Continue XIDC XID_Start XIDS""".split()
SCRIPTS = """Adlam Adlm Ahom Anatolian_Hieroglyphs Hluw Arabic Arab Armenian Armn Avestan Avst Balinese Bali Bamum Bamu Bassa_Vah Bass Batak Batk
Bengali Beng Bhaiksuki Bhks Bopomofo Bopo Brahmi Brah Braille Brai Buginese Bugi Buhid Buhd Canadian_Aboriginal Cans Carian Cari
Caucasian_Albanian Aghb Chakma Cakm Cham Cherokee Cher Chorasmian Chrs Common Zyyy Coptic Copt Qaac Cuneiform Xsux Cypriot Cprt Cypro_Minoan Cpmn
Cyrillic Cyrl Deseret Dsrt Devanagari Deva Dives_Akuru Diak Dogra Dogr Duployan Dupl Egyptian_Hieroglyphs Egyp Elbasan Elba Elymaic Elym Ethiopic
Ethi Garay Gara Georgian Geor Glagolitic Glag Gothic Goth Grantha Gran Greek Grek Gujarati Gujr Gunjala_Gondi Gong Gurmukhi Guru Gurung_Khema Gukh
Han Hani Hangul Hang Hanifi_Rohingya Rohg Hanunoo Hano Hatran Hatr Hebrew Hebr Hiragana Hira Imperial_Aramaic Armi Inherited Zinh Qaai
Inscriptional_Pahlavi Phli Inscriptional_Parthian Prti Javanese Java Kaithi Kthi Kannada Knda Katakana Kana Kawi Kayah_Li Kali Kharoshthi Khar
Khitan_Small_Script Kits Khmer Khmr Khojki Khoj Khudawadi Sind Kirat_Rai Krai Lao Laoo Latin Latn Lepcha Lepc Limbu Limb Linear_A Lina Linear_B Linb
Lisu Lycian Lyci Lydian Lydi Mahajani Mahj Makasar Maka Malayalam Mlym Mandaic Mand Manichaean Mani Marchen Marc Masaram_Gondi Gonm Medefaidrin Medf
Meetei_Mayek Mtei Mende_Kikakui Mend Meroitic_Cursive Merc Meroitic_Hieroglyphs Mero Miao Plrd Modi Mongolian Mong Mro Mroo Multani Mult Myanmar Mymr
Nabataean Nbat Nag_Mundari Nagm Nandinagari Nand New_Tai_Lue Talu Newa Nko Nkoo Nushu Nshu Nyiakeng_Puachue_Hmong Hmnp Ogham Ogam Ol_Chiki Olck
Ol_Onal Onao Old_Hungarian Hung Old_Italic Ital Old_North_Arabian Narb Old_Permic Perm Old_Persian Xpeo Old_Sogdian Sogo Old_South_Arabian Sarb
Old_Turkic Orkh Old_Uyghur Ougr Oriya Orya Osage Osge Osmanya Osma Pahawh_Hmong Hmng Palmyrene Palm Pau_Cin_Hau Pauc Phags_Pa Phag Phoenician Phnx
Psalter_Pahlavi Phlp Rejang Rjng Runic Runr Samaritan Samr Saurashtra Saur Sharada Shrd Shavian Shaw Siddham Sidd SignWriting Sgnw Sinhala Sinh
Sogdian Sogd Sora_Sompeng Sora Soyombo Soyo Sundanese Sund Sunuwar Sunu Syloti_Nagri Sylo Syriac Syrc Tagalog Tglg Tagbanwa Tagb Tai_Le Tale
Tai_Tham Lana Tai_Viet Tavt Takri Takr Tamil Taml Tangsa Tnsa Tangut Tang Telugu Telu Thaana Thaa Thai Tibetan Tibt Tifinagh Tfng Tirhuta Tirh
Todhri Todr Toto Tulu_Tigalari Tutg Ugaritic Ugar Unknown Zzzz Vai Vaii Vithkuqi Vith Wancho Wcho Warang_Citi Wara Yezidi Yezi Yi Yiii
Zanabazar_Square Zanb""".split()


def members(pattern):
    step = pre_tokenizers.Split(Regex(pattern), "removed")
    out = []
    for text in TEXTS:
        kept = set()
        for piece, _ in step.pre_tokenize_str(text):
            kept.update(piece)
        out += [ord(c) for c in text if c not in kept]
    return out


def ranges(codes):
    """Ranges, over the surrogates, of which Python's strings have none, too."""
    out = []
    for c in codes:
        if out and (out[-1][1] == c - 1 or out[-1][1] == 0xD7FF and c == 0xE000):
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def packed(codes):
    """Each range as the distance from the last one's end and its length, in groups of seven bits, low ones first."""
    out, end = bytearray(), 0
    for a, b in ranges(codes):
        for n in (a - end, b - a):
            while n >= 0x80:
                out.append(n & 0x7F | 0x80)
                n >>= 7
            out.append(n)
        end = b + 1
    return base64.b64encode(out).decode()


sets, names = {}, {}
for name in CATEGORIES + POSIX + BINARY + SCRIPTS:
    key = name.lower().replace("_", "")
    try:
        data = packed(members(r"\p{%s}" % name))
    except Exception:
        continue  # newer or older than this Oniguruma
    names[key] = sets.setdefault(data, len(sets))
print("// Code generated by testdata/gen_property.py. DO NOT EDIT.\n\npackage onig\n")
print("// properties are the places in propertySets of the names of \\p{…}, in lower case and without _, - and spaces.\nvar properties = map[string]int{")
row = "\t"
for key in sorted(names):
    item = f'"{key}": {names[key]}, '
    if len(row) + len(item) > 130:
        print(row.rstrip())
        row = "\t"
    row += item
print(row.rstrip() + "\n}\n")
print("// propertySets are the ranges of properties: for each the distance from the end of the one before and the length less one,\n"
      "// both as in binary.Uvarint, in base64.\nvar propertySets = [...]string{")
for data in sets:
    lines = [data[i:i + 120] for i in range(0, len(data), 120)] or [""]
    print("\t" + (" +\n\t\t").join(f'"{line}"' for line in lines) + ",")
print("}")
