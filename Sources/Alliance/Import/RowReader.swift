/// Reads the cells of one row and gathers what is to be said of them.
struct RowReader {
    /// A column of the file: its name in the header and where it stands in a row.
    struct Column: Hashable {
        let name: String
        let index: Int
        /// What a map of columns says of every row, in place of a cell.
        var constant: String?
    }

    private let file: DelimitedText
    private let cells: Range<Int>
    private(set) var notes: [ImportNote] = []
    private(set) var reasons: [RefusedRow.Reason] = []

    init(_ file: DelimitedText, row: DelimitedText.Row) {
        self.file = file
        self.cells = row.cells
    }

    mutating func note(
        _ kind: ImportNote.Kind, _ column: String, found: String? = nil, readAs: String? = nil, _ text: String
    ) {
        notes.append(ImportNote(kind, column: column, found: found, readAs: readAs, text))
    }

    mutating func refuse(_ column: String, _ text: String) {
        reasons.append(RefusedRow.Reason(column: column, text: text))
    }

    /// The cell's text: line ends as LF, nothing around it; nil if nothing is left. Says all that it changed, and
    /// refuses what cannot be text.
    mutating func text(_ column: Column?) -> String? {
        if let constant = column?.constant { return constant }
        guard let column, column.index < cells.count else { return nil }
        let cell = file.cells[cells.lowerBound + column.index]
        if let plain = file.plainText(of: cell) { return plain.isEmpty ? nil : plain }
        let reading = file.reading(of: cell)
        if let byte = reading.unreadableByte {
            refuse(column.name, "byte 0x\(hex(byte)) is neither UTF-8 nor Windows-1252")
            return nil
        }
        if let first = reading.foreignBytes.first {
            let more = reading.foreignBytes.count > 1 ? " and \(reading.foreignBytes.count - 1) more" : ""
            let text = "byte 0x\(hex(first.byte)) read as \(first.character) (Windows-1252)\(more)"
            note(.encoding, column.name, readAs: reading.text, text)
        }
        let lines = Self.withLineFeeds(reading.text)
        let text = UnicodeForm.trimmed(lines)
        if reading.hasStrayQuote {
            note(.shape, column.name, found: text, "a quote stands inside the cell and is kept")
        }
        for scalar in text.unicodeScalars
        where scalar.value < 0x20 && scalar != "\n" && scalar != "\t" || scalar.value == 0x7F {
            refuse(column.name, "holds the control character U+00\(hex(UInt8(scalar.value)))")
            return nil
        }
        if text.isEmpty { return nil }
        if text.utf8.count != reading.text.utf8.count {
            let what =
                lines.utf8.count == text.utf8.count ? "line ends CR LF read as LF" : "white space around it removed"
            note(.whiteSpace, column.name, found: reading.text, readAs: text, what)
        }
        if text.unicodeScalars.contains("\u{FFFD}") {
            note(
                .lostCharacter, column.name, found: text, "holds U+FFFD: the file had already lost a character; kept so"
            )
        }
        return text
    }

    /// As ``text(_:)``, but words such as `n/a` are no value.
    mutating func value(_ column: Column?) -> String? {
        guard let column, let text = text(column) else { return nil }
        guard ["n/a", "na", "not applicable", "not available", "-", "none"].contains(ASCIICase.lowercased(text)) else {
            return text
        }
        note(.noValue, column.name, found: text, "\"\(text)\" read as no value")
        return nil
    }

    /// The date in a cell. `order` is what is known of day and month; `native` are the ways of writing that need no
    /// note.
    mutating func date(_ column: Column?, order: DateOrder?, isNative: (WrittenDate) -> Bool) -> CivilDate? {
        guard let column, let text = value(column) else { return nil }
        let written: WrittenDate
        switch WrittenDate.read(text) {
        case .success(let found): written = found
        case .failure(let problem):
            refuse(column.name, "\"\(text)\" \(problem.reason)")
            return nil
        }
        switch written.resolved(order) {
        case .success(let date)?:
            if !isNative(written) {
                note(.date, column.name, found: text, readAs: date.description, "date \"\(text)\" read as \(date)")
            }
            return date
        case .failure(let problem)?: refuse(column.name, "\"\(text)\" \(problem.reason)")
        case nil:
            let reason = "is ambiguous: no date in this column tells whether the day or the month comes first"
            refuse(column.name, "\"\(text)\" \(reason)")
        }
        return nil
    }

    /// What every column that the header does not name, or does not have, holds: nothing, or the row is refused.
    mutating func checkShape(header count: Int, named: Set<Int>) {
        if cells.count < count {
            let text = "\(count - cells.count) cells are missing at the end and read as empty"
            note(.shape, "", text)
        }
        for index in 0..<cells.count where !named.contains(index) && !file.isBlank(file.cells[cells.lowerBound + index])
        {
            let text = file.reading(of: file.cells[cells.lowerBound + index]).text
            refuse("", "cell \(index + 1) holds \"\(Self.shortened(text))\", but the header names no such column")
        }
        if cells.count > count, reasons.isEmpty {
            note(.shape, "", "\(cells.count - count) empty cells more than the header has, passed over")
        }
    }

    /// A text for a sentence: one line, at most 60 characters.
    static func shortened(_ text: String) -> String {
        let line = UnicodeForm.collapsed(text)
        return line.count <= 60 ? line : "\(line.prefix(59))…"
    }

    /// CR LF and CR as LF. By scalars, because CR LF is one `Character`.
    static func withLineFeeds(_ text: String) -> String {
        guard text.utf8.contains(0x0D) else { return text }
        var scalars = String.UnicodeScalarView()
        var previous: Unicode.Scalar = " "
        for scalar in text.unicodeScalars {
            if scalar == "\n", previous == "\r" {
                previous = scalar
                continue
            }
            scalars.append(scalar == "\r" ? "\n" : scalar)
            previous = scalar
        }
        return String(scalars)
    }

    private func hex(_ byte: UInt8) -> String {
        let text = String(byte, radix: 16, uppercase: true)
        return text.count == 1 ? "0\(text)" : text
    }
}
