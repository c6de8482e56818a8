import Alliance
import Foundation
import Testing

@testable import Node

/// A workbook made part by part.
struct SampleWorkbook {
    var parts: [(String, String)] = []

    static let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    static let types = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

    /// One sheet of the given rows; texts and styles as given.
    init(
        rows: String, texts: String = "",
        styles: String = "<cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs>",
        properties: String = "", sheets: [String] = ["Sheet1"], declaration: String = ""
    ) {
        let list = sheets.indices.map { "<sheet name=\"\(sheets[$0])\" sheetId=\"\($0 + 1)\" r:id=\"rId\($0 + 1)\"/>" }
        var relations = sheets.indices.map {
            "<Relationship Id=\"rId\($0 + 1)\" Type=\"\(Self.types)/worksheet\" Target=\"worksheets/sheet\($0 + 1).xml\"/>"
        }
        relations.append("<Relationship Id=\"s\" Type=\"\(Self.types)/styles\" Target=\"styles.xml\"/>")
        relations.append(
            "<Relationship Id=\"t\" Type=\"\(Self.types)/sharedStrings\" Target=\"/xl/sharedStrings.xml\"/>")
        parts = [
            ("[Content_Types].xml", "<Types/>"),
            (
                "_rels/.rels",
                "<Relationships><Relationship Id=\"r\" Type=\"\(Self.types)/officeDocument\" Target=\"xl/workbook.xml\"/>"
                    + "</Relationships>"
            ),
            (
                "xl/workbook.xml",
                "<workbook xmlns=\"\(Self.main)\" xmlns:r=\"\(Self.types)\">\(properties)<sheets>\(list.joined())</sheets>"
                    + "</workbook>"
            ),
            ("xl/_rels/workbook.xml.rels", "<Relationships>\(relations.joined())</Relationships>"),
            ("xl/styles.xml", "<styleSheet>\(styles)</styleSheet>"),
            ("xl/sharedStrings.xml", "<sst>\(texts)</sst>"),
        ]
        for index in sheets.indices {
            let body = index == 0 ? rows : "<row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>other</t></is></c></row>"
            parts.append(
                (
                    "xl/worksheets/sheet\(index + 1).xml",
                    "\(declaration)<worksheet xmlns=\"\(Self.main)\"><sheetData>\(body)</sheetData></worksheet>"
                ))
        }
    }

    var bytes: [UInt8] {
        var zip = ZipWriter()
        for (name, content) in parts { zip.add(name, Array(content.utf8)) }
        return zip.finish()
    }

    /// What is read: the cells of each row by its line.
    static func read(_ bytes: [UInt8], sheet: String? = nil) throws -> (rows: [Int: [String]], notes: [String]) {
        let table = try WorkbookReader.read(bytes, sheet: sheet, register: "warnings")
        var rows: [Int: [String]] = [:]
        for row in table.rows { rows[row.line] = row.cells.map { table.reading(of: table.cells[$0]).text } }
        return (rows, table.notes)
    }
}

@Suite("Workbooks")
struct WorkbookTests {
    private static func text(_ place: String, _ text: String) -> String {
        "<c r=\"\(place)\" t=\"inlineStr\"><is><t>\(text)</t></is></c>"
    }

    @Test("cells of every type are read as what they are, where they stand")
    func cells() throws {
        let rows = """
            <row r="1">\(Self.text("A1", "key"))\(Self.text("C1", "amount &amp; more"))</row>\
            <row r="3"><c r="A3" t="s"><v>1</v></c><c r="B3"><v>42</v></c><c r="C3"><v>0.10000000000000001</v></c></row>\
            <row r="4"><c r="A4" t="b"><v>1</v></c><c r="B4" t="e"><v>#N/A</v></c><c r="C4" t="str"><f>A1</f><v>kept</v></c>\
            </row><row r="5"><c r="A5" s="1"><v>46028</v></c><c r="B5" s="1"><v>46028.5</v></c><c r="C5" s="1"/></row>\
            <row><c><v>9.60E+19</v></c><c><v>1E3</v></c></row>
            """
        let texts = "<si><t>zero</t></si><si><r><t>a_x000D_</t></r><r><t xml:space=\"preserve\"> b</t></r></si>"
        let (read, notes) = try SampleWorkbook.read(SampleWorkbook(rows: rows, texts: texts).bytes)
        #expect(
            read == [
                1: ["key", "", "amount & more"], 3: ["a\r b", "42", "0.1"], 4: ["true", "#N/A", "kept"],
                5: ["2026-01-06", "2026-01-06T12:00:00", ""], 6: ["9.60E+19", "1000", ""],
            ])
        #expect(notes.count == 3)
        #expect(notes.contains("A5 and 1 more cells hold a date as a number of days, read by its format."))
        #expect(notes.contains("C4 hold a formula: its stored result is read."))
    }

    @Test("days count from 1900 with its false leap day, or from 1904")
    func dates() {
        #expect(CellFormat.date(1, since1904: false) == "1900-01-01")
        #expect(CellFormat.date(59, since1904: false) == "1900-02-28")
        #expect(CellFormat.date(60, since1904: false) == nil)
        #expect(CellFormat.date(61, since1904: false) == "1900-03-01")
        #expect(CellFormat.date(25_569, since1904: false) == "1970-01-01")
        #expect(CellFormat.date(46_028.999_999_99, since1904: false) == "2026-01-07")
        #expect(CellFormat.date(0, since1904: true) == "1904-01-01")
        #expect(CellFormat.date(24_107, since1904: true) == "1970-01-01")
        #expect(CellFormat.date(.infinity, since1904: false) == nil)
        #expect(CellFormat.date(1e300, since1904: true) == nil)
        for (code, isDate) in [
            ("yyyy\\-mm\\-dd", true), ("[$-409]d mmm yy", true), ("0.00", false), ("\"day\" 0", false),
            ("[Red]0", false),
            ("General", false), ("#,##0\\d", false), ("h:mm", false),
        ] { #expect(CellFormat.isDate(id: 164, code: code) == isDate, "\(code)") }
    }

    @Test("the sheet that is named is read, else the register's, else the first; the others are named")
    func sheets() throws {
        let rows = "<row r=\"1\">\(Self.text("A1", "first"))</row>"
        let two = SampleWorkbook(rows: rows, sheets: ["Data", "Notes"]).bytes
        #expect(try SampleWorkbook.read(two).rows == [1: ["first"]])
        #expect(try SampleWorkbook.read(two).notes == ["The sheet Data is read; passed over: Notes."])
        #expect(try SampleWorkbook.read(two, sheet: "Notes").rows == [1: ["other"]])
        #expect(
            try SampleWorkbook.read(SampleWorkbook(rows: rows, sheets: ["Data", "warnings"]).bytes).rows == [
                1: ["other"]
            ])
        let error = try #require(throws: ImportError.self) { try SampleWorkbook.read(two, sheet: "Else") }
        #expect(error.reason.contains("Data, Notes"))
    }

    @Test("the template of every register is read back, and is the same bytes every time")
    func templates() throws {
        for definition in BuiltInRegisters.all {
            let bytes = RegisterWorkbook.template(of: definition)
            #expect(bytes == RegisterWorkbook.template(of: definition))
            let table = try WorkbookReader.read(bytes, sheet: nil, register: definition.name)
            #expect(table.rows.count == 1)
            #expect(table.cells.map { table.reading(of: $0).text } == definition.columns)
            let statuses = try WorkbookReader.read(
                bytes, sheet: RegisterWorkbook.statusesSheet, register: definition.name)
            #expect(statuses.rows.count == definition.statuses.count + 1)
        }
    }

    @Test("entities, document types, other encodings and deep nesting are refused before they cost anything")
    func traps() throws {
        let row = "<row r=\"1\">\(Self.text("A1", "&lol;"))</row>"
        let laughs = (0..<9).map { "<!ENTITY lol\($0 + 1) \"&lol\($0);&lol\($0);&lol\($0);\">" }.joined()
        let traps = [
            SampleWorkbook(rows: row, declaration: "<!DOCTYPE a [<!ENTITY lol0 \"lol\">\(laughs)]>"),
            SampleWorkbook(rows: row, declaration: "<!DOCTYPE a SYSTEM \"file:///etc/passwd\">"),
            SampleWorkbook(rows: row), SampleWorkbook(rows: "<row r=\"1\"><c r=\"A1\"></row>"),
            SampleWorkbook(rows: "", declaration: "<?xml version=\"1.0\" encoding=\"UTF-16\"?>"),
            SampleWorkbook(rows: String(repeating: "<a>", count: 100) + String(repeating: "</a>", count: 100)),
            SampleWorkbook(rows: "<row r=\"2\"/><row r=\"1\"/>"), SampleWorkbook(rows: "<row r=\"-1\"/>"),
            SampleWorkbook(rows: "<row r=\"1\">\(Self.text("B1", "x"))\(Self.text("A1", "x"))</row>"),
            SampleWorkbook(rows: "<row r=\"1\">\(Self.text("ZZZZZZZZ1", "x"))</row>"),
            SampleWorkbook(rows: "<row r=\"1\">\(Self.text("XFD1", "x"))</row>"),
            SampleWorkbook(rows: "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>7</v></c></row>"),
        ]
        for (number, trap) in traps.enumerated() {
            let error = #expect(throws: ImportError.self, "\(number)") { try SampleWorkbook.read(trap.bytes) }
            #expect(error?.code == .workbook || error?.code == .limit)
        }
    }

    @Test("many short rows under a wide header are refused: they would be made as wide")
    func wideHeader() throws {
        let rows = String(repeating: "<row><c><v>1</v></c></row>", count: ImportLimits.cells / 256 + 1)
        let sample = SampleWorkbook(rows: "<row>\(Self.text("IV1", "x"))</row>\(rows)")
        #expect(throws: ImportError.self) { try SampleWorkbook.read(sample.bytes) }
        let narrow = SampleWorkbook(rows: "<row>\(Self.text("B1", "x"))</row><row><c><v>1</v></c></row>")
        #expect(try SampleWorkbook.read(narrow.bytes).rows[2] == ["1", ""])
    }

    @Test("a deflated part is inflated to the length and checksum that the archive names, and to no more")
    func inflation() throws {
        // A thousand letters x, deflated by zlib.
        let packed = try #require(Data(base64Encoded: "q6gYBaNgFAx3AAA="))
        let content = [UInt8](repeating: 0x78, count: 1_000)
        let checksum = CRC32.checksum(of: content)
        #expect(CRC32.checksum(of: Array("123456789".utf8)) == 0xCBF4_3926)
        #expect(Inflation.inflate(Array(packed)[...], size: 1_000, checksum: checksum) == content)
        #expect(Inflation.inflate(Array(packed)[...], size: 999, checksum: checksum) == nil)
        #expect(Inflation.inflate(Array(packed)[...], size: 1_001, checksum: checksum) == nil)
        #expect(Inflation.inflate(Array(packed)[...], size: 1_000, checksum: checksum ^ 1) == nil)
        #expect(Inflation.inflate(Array(packed).dropLast(2)[...], size: 1_000, checksum: checksum) == nil)
        #expect(Inflation.inflate([0xFF, 0xFF], size: 1_000, checksum: checksum) == nil)
        #expect(Inflation.inflate([], size: 0, checksum: 0) == nil)
    }

    @Test("whatever byte of an archive is lost or flipped, it is read the same, or refused")
    func damage() throws {
        let rows = "<row r=\"1\">\(Self.text("A1", "key"))\(Self.text("B1", "status"))</row>"
        let bytes = SampleWorkbook(rows: rows).bytes
        let whole = try SampleWorkbook.read(bytes).rows
        for position in bytes.indices {
            for bit in [UInt8(0x01), 0x80] {
                var damaged = bytes
                damaged[position] ^= bit
                // A part that is not needed may be lost, and names of parts have no checksum; what is read is what was written.
                if let read = try? SampleWorkbook.read(damaged) { #expect(read.rows == whole, "byte \(position)") }
            }
            if let read = try? SampleWorkbook.read(Array(bytes.prefix(position))) { #expect(read.rows == whole) }
        }
    }
}
