"""Cases of files of rows: the register's own layout (register warnings) and ESMA's list of service providers."""

from corpus import BOM, Kind

HEAD = "key,status,validFrom,validUntil,competentAuthority,lei,website,decisionDate,domains"


def own_layout():
    kind = Kind("csv-own")

    def rows(*lines, head=HEAD, end="\r\n"):
        return end.join([head, *lines]) + end

    row = "W-1,warned,2026-01-02,,Authority,,,,one.example"
    kind.good("plain", rows(row))
    kind.good("semicolons-bom-lf", BOM + rows(row, end="\n").replace(",", ";").encode())
    kind.good("quoted", rows('"W-1","warned",2026-01-02,,"Auth, and ""more""",,,,'))
    kind.good("same-row-twice", rows(row, row))
    kind.bad("empty", "", "empty", "the file is empty")
    kind.bad("bom-alone", BOM, "empty", "the file is empty")
    kind.bad("blank-lines", "\r\n \r\n,,\r\n", "empty", "holds no header")
    text = "notText"
    kind.bad("workbook", b"PK\x03\x04" + bytes(40), text, "a workbook or an archive")
    kind.bad("utf-16-le", b"\xff\xfe" + rows(row).encode("utf-16-le"), text, "UTF-16")
    kind.bad("utf-16-be", b"\xfe\xff" + rows(row).encode("utf-16-be"), text, "UTF-16")
    kind.bad("utf-16-without-mark", rows(row).encode("utf-16-le"), text, "a zero byte", "line 1, column 1")
    kind.bad("pdf", b"%PDF-1.7\n" + bytes(20), text, "a PDF")
    kind.bad("gzip", bytes.fromhex("1f8b0800000000000003"), text, "a zero byte", "line 1, column 1")
    kind.bad("png", b"\x89PNG\r\n\x1a\n" + bytes(20), text, "a zero byte", "line 3, column 1")
    kind.bad("nul-in-row", rows("W-1,warned,2026-01-02,,Auth\0ority"), text, "a zero byte", "line 2, column 5")
    kind.bad("nul-in-quotes", rows('W-1,"war\0ned"'), text, "a zero byte", "line 2, column 2")
    kind.bad("quote-never-closed", rows('W-1,"warned,2026-01-02'), "openQuote", "never ends", "line 2, column 2")
    kind.bad("quote-never-closed-late", rows(row, row, '"W-3'), "openQuote", "never ends", "line 4, column 1")
    kind.bad("quoted-cell-too-long", rows('W-1,"' + "x" * 65_540 + '"'), "openQuote", "longer than 65536", "line 2, column 2")
    kind.bad("257-columns", rows("," * 256), "limit", "more than 256 cells", "line 2")
    head = "header"
    kind.bad("unknown-column", rows(row, head=HEAD + ",colour"), head, "the column colour is not one of warnings", "line 1, column 10")
    kind.bad("column-twice", rows(row, head=HEAD + ",key"), head, "the column key stands twice", "line 1, column 10")
    kind.bad("column-twice-in-capitals", rows(row, head=HEAD + ",KEY"), head, "are the same field, key", "line 1, column 10")
    kind.bad("no-status", rows("x,y", head="key,competentAuthority"), head, "the column status of warnings is missing", "line 1")
    kind.bad("no-key", rows("x,y", head="status,competentAuthority"), head, "the column key of warnings is missing", "line 1")
    kind.bad("no-required-field", rows("x,y", head="key,status"), head, "the column competentAuthority", "line 1")
    kind.bad("no-header", rows(head=row), head, "is not one of warnings", "line 1, column 1")
    kind.bad("header-in-line-3", rows(row, head="\r\n\r\n" + HEAD + ",colour"), head, "colour", "line 3, column 10")
    kind.bad("column-name-too-long", rows(row, head=HEAD + "," + "x" * 201), head, "no names of columns", "line 1, column 10")
    kind.bad("column-name-escape", rows(row, head=HEAD + ",\x1b[2J"), head, "no names of columns", "line 1, column 10")
    kind.bad("html", "<!DOCTYPE html>\n<html></html>\n", head, "is not one of warnings", "line 1, column 1")
    kind.bad("json", '{"key":"W-1"}\n', head, "is not one of warnings", "line 1, column 1")
    kind.bad("ncasp", "ae_competentAuthority,ae_lei_name,ae_infrigment\nA,B,No\n", "header", "of ESMA's list of non-compliant entities is missing", "line 1")
    kind.bad("casp-in-another-register", CASP_HEAD + "\n", "layout", "belongs into vasp-licences", "line 1")

    def refused(name, line, says, place):
        kind.bad(name, rows(row, line), "refused", says, f"line 3{place}")

    refused("no-key-in-row", ",warned,2026-01-02,,A,,,,", "key", ", key")
    refused("status-unknown", "W-2,splendid,2026-01-02,,A,,,,", "is no status of warnings", ", status")
    refused("status-missing", "W-2,,2026-01-02,,A,,,,", "status is missing", ", status")
    refused("date-no-day", "W-2,warned,2026-02-30,,A,,,,", "is no day of the calendar", ", validFrom")
    refused("date-ambiguous", "W-2,warned,03/04/2026,,A,,,,", "is ambiguous", ", validFrom")
    refused("date-two-digits", "W-2,warned,31/12/26,,A,,,,", "without a year of four digits", ", validFrom")
    refused("date-word", "W-2,warned,soon,,A,,,,", "is not a date", ", validFrom")
    refused("until-before-from", "W-2,warned,2026-01-02,2026-01-01,A,,,,", "after", ", validUntil")
    refused("required-empty", "W-2,warned,2026-01-02,,,,,,", "is missing", ", competentAuthority")
    refused("control-character", "W-2,warned,2026-01-02,,A\x07,,,,", "the control character U+0007", ", competentAuthority")
    refused("cell-behind-the-header", "W-2,warned,2026-01-02,,A,,,,,more", "the header names no such column", "")
    refused("domain-bad", "W-2,warned,2026-01-02,,A,,,,not a domain", "not a domain", ", domains")
    refused("domain-path", "W-2,warned,2026-01-02,,A,,,,../../x", "../../x", ", domains")
    refused("same-key-says-else", "W-1,cleared,2026-01-02,,A,,,,", "line 2 has the same key", ", key")
    refused("key-invisible", "W-\u200b2,warned,2026-01-02,,A,,,,", "holds the invisible character", ", key")
    refused("key-reversing", "W-\u202e2,warned,2026-01-02,,A,,,,", "holds the invisible character", ", key")
    refused("decision-date", "W-2,warned,2026-01-02,,A,,,2026-13-01,", "is no day of the calendar", ", decisionDate")
    kind.bad("byte-of-no-code-page", rows(row).encode() + b"W-2,warned,2026-01-02,,\x81,,,,\r\n", "refused", "neither UTF-8 nor Windows-1252", "line 3, competentAuthority")
    nfc, nfd = "Caf\u00e9", "Cafe\u0301"
    kind.bad("nfc-and-nfd-twins", rows(f"{nfc},warned,2026-01-02,,A,,,,", f"{nfd},cleared,2026-01-02,,A,,,,"), "refused", "line 2 has the same key", "line 3, key")
    return kind


CASP_HEAD = (
    "ae_competentAuthority,ae_homeMemberState,ae_lei_name,ae_lei,ae_lei_cou_code,ae_commercial_name,ae_address,"
    "ae_website,ae_website_platform,ac_authorisationNotificationDate,ac_authorisationEndDate,ac_serviceCode,"
    "ac_serviceCode_cou,ac_comments,ac_lastupdate")
CUSTODY = "a. providing custody and administration of crypto-assets on behalf of clients"


def esma_layout():
    kind = Kind("csv-esma")
    usual = ["Bank of Samples (BoS)", "FR", "Firm SA", "", "FR", "Firm", "1 Sample Street", "https://firm.example", "",
             "01/02/2026", "", CUSTODY, "FR|BE", "", "02/02/2026"]
    columns = CASP_HEAD.split(",")

    def row(**cells):
        return ",".join(cells.get(name, cell) for name, cell in zip(columns, usual))

    def rows(*lines, head=CASP_HEAD):
        return "\r\n".join([head, *lines]) + "\r\n"

    kind.good("plain", BOM + rows(row()).encode())
    kind.good("ended", rows(row(ac_authorisationEndDate="01/05/2026")))
    head = "header"
    for name in ("ae_lei", "ac_authorisationNotificationDate"):
        less = ",".join(one for one in columns if one != name)
        kind.bad(f"no-{name}", rows(head=less), head, f"the column {name} of ESMA's list of service providers is missing", "line 1")
    kind.bad("more-columns", rows(head=CASP_HEAD + ",ae_mood"), head, "the column ae_mood is not one", "line 1")
    kind.bad("column-twice", rows(head=CASP_HEAD + ",ae_lei"), head, "the column ae_lei stands twice", "line 1, column 16")
    kind.bad("open-quote", rows('"Bank of Samples'), "openQuote", "never ends", "line 2, column 1")
    kind.bad("emtwp", "ae_competentAuthority,ae_exemption48_4\nA,B\n", "layout", "white papers of e-money", "line 1")
    kind.bad("artzz", "ae_competentAuthority,ae_credit_institution\nA,B\n", "layout", "asset-referenced", "line 1")
    kind.bad("other", "ae_competentAuthority,ae_offerCode_cou\nA,B\n", "layout", "other white papers", "line 1")

    def refused(name, says, column, **cells):
        kind.bad(name, rows(row(), row(**{"ae_lei_name": "Other SA"} | cells)), "refused", says, f"line 3{column}")

    date, end = "ac_authorisationNotificationDate", "ac_authorisationEndDate"
    refused("date-month-13", "is no day of the calendar", f", {date}", **{date: "01/13/2026"})
    refused("date-february-30", "is no day of the calendar", f", {date}", **{date: "30/02/2026"})
    refused("date-word", "is not a date", f", {date}", **{date: "pending"})
    refused("no-date", "the key", "", **{date: ""})
    refused("ends-before-start", "not after its start", f", {end}", **{end: "01/01/2026"})
    refused("ends-on-start", "not after its start", f", {end}", **{end: "01/02/2026"})
    refused("service-unknown", "none of the ten services", ", ac_serviceCode", ac_serviceCode="k. mining")
    refused("service-number", "none of the ten services", ", ac_serviceCode", ac_serviceCode="7")
    refused("country-of-three-letters", "FRA", ", ac_serviceCode_cou", ac_serviceCode_cou="FRA")
    refused("control-character", "the control character U+001B", ", ae_address", ae_address="\x1b[2J")
    refused("no-name", "legalName", "", ae_lei_name="")
    refused("cell-too-many", "the header names no such column", "", ac_lastupdate="02/02/2026,more")
    return kind


def numbers():
    """A register with numbers, and what no number is."""
    kind = Kind("csv-numbers")

    def rows(number):
        return f"project,status,validFrom,megawatts\r\nP-1,allocated,2026-01-02,{number}\r\n"

    kind.good("fraction", rows("12.50"))
    kind.good("spaced", rows("1 000 000"))
    place = "line 2, megawatts"
    no = "is not a whole number"
    for name, number in [
        ("int64-least", -(1 << 63)), ("int64-less-1", -(1 << 63) - 1), ("2-53", 1 << 53), ("2-64", 1 << 64), ("exponent", "1e3"), ("hexadecimal", "0x10"), ("word", "many"), ("infinite", "inf"), ("not-a-number", "NaN"),
        ("full-width", "\uff11\uff12"), ("two-points", "1.2.3.4"), ("currency", "$12"), ("open-fraction", "12."), ("unit", "12 MW"),
    ]:
        kind.bad(name, rows(number), "refused", no, place)
    kind.bad("ambiguous", rows('"12,345"'), "refused", "is ambiguous", place)
    kind.bad("negative", rows("-1"), "refused", "", place)
    kind.bad("too-great", rows("1000001"), "refused", "", place)
    kind.bad("empty", rows(""), "refused", "is missing", place)
    return kind


def all_kinds():
    return [own_layout(), esma_layout(), numbers()]
