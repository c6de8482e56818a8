public import Alliance

/// A sheet of a workbook (`.xlsx`, ECMA-376) as a table of texts, which ``RegisterImport`` reads like a file of separated
/// values.
///
/// What is stored is read, never what a formula might give: the stored results of formulas, texts as they are, dates by
/// their format. What was read as what is said in ``DelimitedText/notes``.
public enum WorkbookReader {
    /// Whether bytes begin as a workbook's do.
    public static func isWorkbook(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) }

    /// Reads one sheet.
    ///
    /// - Parameters:
    ///   - name: the sheet; nil for the one of the register's name, else the first that is not hidden.
    ///   - register: the register that is read for.
    /// - Throws: ``ImportError`` with code `workbook` or `limit`.
    public static func read(
        _ bytes: [UInt8], sheet name: String?, register: String
    ) throws(ImportError) -> DelimitedText {
        guard bytes.count <= ImportLimits.fileBytes else {
            throw ImportError(.limit, "the file is larger than \(ImportLimits.fileBytes >> 20) MiB")
        }
        let zip = try ZipReader(bytes)
        guard zip.has("[Content_Types].xml") else { throw ZipReader.wrong("it is an archive of another kind") }
        let book = try Workbook(zip)
        let sheet = try book.sheet(named: name, register: register)
        var notes: [String] = []
        let others = book.sheets.filter { $0.name != sheet.name }.map(\.name)
        if book.sheets.count > 1 {
            notes.append("The sheet \(sheet.name) is read; passed over: \(others.joined(separator: ", ")).")
        }
        var reader = SheetReader(
            texts: try SharedTexts.read(zip, book.part("sharedStrings")),
            dateStyles: try DateStyles.read(zip, book.part("styles")), since1904: book.since1904)
        let rows = try reader.read(try zip.read(sheet.part), part: sheet.part)
        // A row ends behind its last cell that holds something; the header says how wide all are.
        let width = rows.first?.cells.count ?? 0
        guard width * rows.count <= ImportLimits.cells else {
            throw ImportError(
                .limit,
                "the sheet has \(rows.count) rows of \(width) cells, more than \(ImportLimits.cells) in all: split it"
            )
        }
        let table = rows.map { row in
            (line: row.line, cells: row.cells + [String](repeating: "", count: max(0, width - row.cells.count)))
        }
        return try DelimitedText(table: table, notes: notes + reader.notes)
    }
}

/// What a workbook consists of.
private struct Workbook {
    struct Sheet {
        let name: String
        let part: String
        let isHidden: Bool
    }

    private(set) var sheets: [Sheet] = []
    private(set) var since1904 = false
    /// The parts that the workbook names, by the last word of their type.
    private var parts: [String: String] = [:]

    init(_ zip: ZipReader) throws(ImportError) {
        let root = try Self.targets(zip, "_rels/.rels", base: "")
        let main = root.first { $0.type == "officeDocument" }?.target ?? "xl/workbook.xml"
        let folder = main.lastIndex(of: "/").map { String(main[...$0]) } ?? ""
        let file = main.dropFirst(folder.count)
        let targets = try Self.targets(zip, "\(folder)_rels/\(file).rels", base: folder)
        for one in targets where parts[one.type] == nil { parts[one.type] = one.target }
        var sheets: [Sheet] = []
        var since1904 = false
        let walker = XMLElements()
        walker.begin = { path, attributes throws(ImportError) in
            switch path.last {
            case "workbookPr": since1904 = ["1", "true"].contains(attributes["date1904"] ?? "")
            case "sheet":
                let id = attributes.first { $0.key.hasSuffix(":id") }?.value
                guard let name = attributes["name"], let part = targets.first(where: { $0.id == id })?.target,
                    sheets.count < WorkbookLimits.sheets
                else { throw ZipReader.wrong("its list of sheets is damaged, or longer than \(WorkbookLimits.sheets)") }
                sheets.append(Sheet(name: name, part: part, isHidden: (attributes["state"] ?? "visible") != "visible"))
            default: break
            }
        }
        try walker.walk(try zip.read(main), part: main)
        self.sheets = sheets
        self.since1904 = since1904
    }

    func part(_ type: String) -> String? { parts[type] }

    func sheet(named name: String?, register: String) throws(ImportError) -> Sheet {
        let all = sheets.map(\.name).joined(separator: ", ")
        if let name {
            guard let found = sheets.first(where: { $0.name == name }) else {
                throw ZipReader.wrong("it has no sheet \(name); it has: \(all)")
            }
            return found
        }
        let own = sheets.first { $0.name == String(register.prefix(31)) }
        guard let found = own ?? sheets.first(where: { !$0.isHidden }) else {
            throw ZipReader.wrong("it has no sheet that is not hidden")
        }
        return found
    }

    private static func targets(
        _ zip: ZipReader, _ part: String, base: String
    ) throws(ImportError) -> [(id: String, type: String, target: String)] {
        guard zip.has(part) else { return [] }
        var found: [(id: String, type: String, target: String)] = []
        let walker = XMLElements()
        walker.begin = { path, attributes throws(ImportError) in
            guard path.last == "Relationship", attributes["TargetMode"] != "External", let id = attributes["Id"],
                let type = attributes["Type"]?.split(separator: "/").last, let target = attributes["Target"],
                found.count < WorkbookLimits.parts
            else { return }
            // Targets are relative to the part's folder, or absolute within the archive; no name here needs more.
            found.append((id, String(type), target.hasPrefix("/") ? String(target.dropFirst()) : base + target))
        }
        try walker.walk(try zip.read(part), part: part)
        return found
    }
}

/// The texts that cells refer to by number.
private enum SharedTexts {
    static func read(_ zip: ZipReader, _ part: String?) throws(ImportError) -> [String] {
        guard let part, zip.has(part) else { return [] }
        var texts: [String] = []
        var current = ""
        let walker = XMLElements()
        walker.begin = { path, _ throws(ImportError) in if path.last == "si" { current = "" } }
        walker.end = { path, text throws(ImportError) in
            // Phonetic hints stand beside the text, in rPh.
            if path.last == "t", !path.contains("rPh") { current += text }
            guard path.last == "si" else { return }
            guard texts.count < WorkbookLimits.shared else { throw ZipReader.wrong("it has too many different texts") }
            texts.append(SheetReader.unescaped(current))
        }
        try walker.walk(try zip.read(part), part: part)
        return texts
    }
}

/// The numbers of the styles that show dates.
private enum DateStyles {
    static func read(_ zip: ZipReader, _ part: String?) throws(ImportError) -> Set<Int> {
        guard let part, zip.has(part) else { return [] }
        var codes: [Int: String] = [:]
        var formats: [Int] = []
        let walker = XMLElements()
        walker.begin = { path, attributes throws(ImportError) in
            let id = attributes["numFmtId"].flatMap { Int($0) }
            if path.last == "numFmt", let id { codes[id] = attributes["formatCode"] }
            if path.last == "xf", path.dropLast().last == "cellXfs" { formats.append(id ?? 0) }
            guard codes.count + formats.count < WorkbookLimits.shared else {
                throw ZipReader.wrong("it has too many styles")
            }
        }
        try walker.walk(try zip.read(part), part: part)
        return Set(formats.indices.filter { CellFormat.isDate(id: formats[$0], code: codes[formats[$0]]) })
    }
}

/// Reads the cells of one sheet.
private struct SheetReader {
    let texts: [String]
    let dateStyles: Set<Int>
    let since1904: Bool
    private var rows: [(line: Int, cells: [String])] = []
    private var cell = Cell()
    private var line = 0
    private var lastColumn = -1
    private var size = 0
    private var dates: [String] = []
    private var formulas: [String] = []
    private var errors: [String] = []

    private struct Cell {
        var column = 0
        var type = "n"
        var style = 0
        var value = ""
        var text = ""
        var isFormula = false
    }

    init(texts: [String], dateStyles: Set<Int>, since1904: Bool) {
        self.texts = texts
        self.dateStyles = dateStyles
        self.since1904 = since1904
    }

    mutating func read(_ bytes: [UInt8], part: String) throws(ImportError) -> [(line: Int, cells: [String])] {
        var state = self
        let walker = XMLElements()
        walker.begin = { path, attributes throws(ImportError) in try state.begin(path, attributes) }
        walker.end = { path, text throws(ImportError) in try state.end(path, text) }
        try walker.walk(bytes, part: part)
        self = state
        return rows
    }

    private mutating func begin(_ path: [String], _ attributes: [String: String]) throws(ImportError) {
        switch path.last {
        case "row":
            let number = attributes["r"].flatMap { Int($0) } ?? line + 1
            guard number > line, number <= 1_048_576 else { throw ZipReader.wrong("its rows are out of order") }
            line = number
            lastColumn = -1
            rows.append((number, []))
            guard rows.count <= ImportLimits.rows else {
                throw ImportError(.limit, "the sheet has more than \(ImportLimits.rows) rows", line: number)
            }
        case "c":
            let column = attributes["r"].map { Self.column(of: $0) } ?? lastColumn + 1
            guard let column, column > lastColumn else {
                throw ZipReader.wrong("its cells are out of order, in row \(line)")
            }
            lastColumn = column
            cell = Cell(column: column)
            cell.type = attributes["t"] ?? "n"
            cell.style = attributes["s"].flatMap { Int($0) } ?? 0
        case "f": cell.isFormula = true
        default: break
        }
    }

    private mutating func end(_ path: [String], _ text: String) throws(ImportError) {
        switch path.last {
        case "v": cell.value = text
        case "t" where path.contains("is") && !path.contains("rPh"): cell.text += text
        case "c": try endCell()
        case "row": if rows.last?.cells.isEmpty ?? false { rows.removeLast() }
        default: break
        }
    }

    private mutating func endCell() throws(ImportError) {
        let place = "\(RegisterWorkbook.letters(cell.column))\(line)"
        let text = try content(place)
        // Formatted cells without content stand in many files, far to the right.
        guard !text.isEmpty, !rows.isEmpty else { return }
        guard cell.column < ImportLimits.columns else {
            throw ImportError(.limit, "the row has more than \(ImportLimits.columns) cells", line: line)
        }
        size += text.utf8.count
        guard size <= ImportLimits.tableBytes else {
            throw ImportError(.limit, "the cells hold more than \(ImportLimits.tableBytes >> 20) MiB", line: line)
        }
        if cell.isFormula { formulas.append(place) }
        let last = rows.count - 1
        while rows[last].cells.count < cell.column { rows[last].cells.append("") }
        rows[last].cells.append(text)
    }

    private mutating func content(_ place: String) throws(ImportError) -> String {
        switch cell.type {
        case "s":
            guard let index = Int(cell.value), texts.indices.contains(index) else {
                throw ZipReader.wrong("the cell \(place) refers to a text that there is not")
            }
            return texts[index]
        case "inlineStr": return Self.unescaped(cell.text)
        case "str": return Self.unescaped(cell.value)
        case "b": return cell.value == "1" ? "true" : cell.value == "0" ? "false" : cell.value
        case "d": return cell.value
        case "e":
            errors.append(place)
            return cell.value
        default:
            guard dateStyles.contains(cell.style), let days = Double(cell.value),
                let date = CellFormat.date(days, since1904: since1904)
            else { return CellFormat.number(cell.value) }
            dates.append(place)
            return date
        }
    }

    /// What is to be said of the sheet as a whole.
    var notes: [String] {
        func note(_ places: [String], _ what: String) -> [String] {
            guard let first = places.first else { return [] }
            return ["\(places.count == 1 ? first : "\(first) and \(places.count - 1) more cells") \(what)."]
        }
        return note(dates, "hold a date as a number of days, read by its format")
            + note(formulas, "hold a formula: its stored result is read")
            + note(errors, "hold an error, such as #N/A, which is read as it stands")
    }

    /// The column of a place such as `AB12`, from 0.
    private static func column(of place: String) -> Int? {
        var column = 0
        for byte in place.utf8.prefix(while: { (0x41...0x5A).contains($0) }) {
            column = column * 26 + Int(byte - 0x40)
            guard column <= 16_384 else { return nil }
        }
        return column > 0 ? column - 1 : nil
    }

    /// `_x000D_` and its like are characters that XML could not hold (ECMA-376, ST_Xstring).
    static func unescaped(_ text: String) -> String {
        guard text.utf8.contains(0x5F) else { return text }
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        var position = 0
        while position < bytes.count {
            if position + 7 <= bytes.count, bytes[position] == 0x5F, bytes[position + 1] == 0x78,
                bytes[position + 6] == 0x5F,
                let code = UInt32(String(decoding: bytes[position + 2..<position + 6], as: UTF8.self), radix: 16),
                let scalar = Unicode.Scalar(code)
            {
                output += Array(String(scalar).utf8)
                position += 7
            } else {
                output.append(bytes[position])
                position += 1
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
