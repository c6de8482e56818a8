/// The rows and cells of a file of separated values, read leniently and kept as they stand (RFC 4180 where the file
/// keeps to it).
///
/// Lenient means: a byte-order mark; lines that end in CR LF, LF or CR; cells separated by comma, semicolon or tab,
/// whichever the first line has most of; quoted cells that hold separators, line ends and doubled quotes. Nothing is
/// decoded or dropped here; ``reading(of:)`` decodes one cell and says what it took for what.
public struct DelimitedText: Sendable {
    /// What separates the cells.
    public enum Delimiter: UInt8, Hashable, Sendable, CaseIterable {
        case comma = 0x2C
        case semicolon = 0x3B
        case tab = 0x09

        /// Their name for people, in the plural.
        var plural: String {
            switch self {
            case .comma: "commas"
            case .semicolon: "semicolons"
            case .tab: "tabs"
            }
        }
    }

    /// One row and where it starts.
    public struct Row: Hashable, Sendable {
        /// The line of the file, from 1, on which the row starts. Cells that hold line ends make this differ from the
        /// number of the row.
        public let line: Int
        /// The row's cells, as positions in ``cells``.
        public let cells: Range<Int>
    }

    /// One cell: where its bytes are, without the quotes around them.
    public struct Cell: Hashable, Sendable {
        let start: UInt32
        let end: UInt32
        let style: Style
    }

    enum Style: UInt8, Hashable, Sendable {
        case plain
        case quoted
        /// Quoted, and holds doubled quotes.
        case escaped
        /// Quotes that are not where the format has them; the bytes are the whole cell.
        case stray
    }

    /// The file's bytes.
    public let bytes: [UInt8]
    /// What separates the cells.
    public let delimiter: Delimiter
    /// Whether the file starts with the byte-order mark of UTF-8.
    public let hasByteOrderMark: Bool
    /// All rows, empty lines included.
    public let rows: [Row]
    /// The cells of all rows, one after another.
    public let cells: [Cell]
    /// What is to be said of the file as a whole, as sentences.
    public let notes: [String]

    /// A table that some other format held: what stands in each row's cells, as text.
    ///
    /// - Parameters:
    ///   - table: rows, each with its number in the file, from 1.
    ///   - notes: what is to be said of the file as a whole.
    /// - Throws: ``ImportError`` with code `limit`.
    public init(table: [(line: Int, cells: [String])], notes: [String] = []) throws(ImportError) {
        guard table.count <= ImportLimits.rows else {
            throw ImportError(.limit, "the file has more than \(ImportLimits.rows) rows")
        }
        var bytes: [UInt8] = []
        var rows: [Row] = []
        var cells: [Cell] = []
        for row in table {
            guard row.cells.count <= ImportLimits.columns else {
                throw ImportError(.limit, "the row has more than \(ImportLimits.columns) cells", line: row.line)
            }
            let first = cells.count
            for (position, cell) in row.cells.enumerated() {
                let start = bytes.count
                bytes.append(contentsOf: cell.utf8)
                guard bytes.count - start <= ImportLimits.cellBytes else {
                    let reason = "a cell is longer than \(ImportLimits.cellBytes) bytes"
                    throw ImportError(.limit, reason, line: row.line, column: position + 1)
                }
                cells.append(Cell(start: UInt32(start), end: UInt32(bytes.count), style: .plain))
            }
            guard bytes.count <= ImportLimits.tableBytes else {
                let reason = "the cells hold more than \(ImportLimits.tableBytes >> 20) MiB"
                throw ImportError(.limit, reason, line: row.line)
            }
            rows.append(Row(line: row.line, cells: first..<cells.count))
        }
        self.bytes = bytes
        self.rows = rows
        self.cells = cells
        self.notes = notes
        delimiter = .comma
        hasByteOrderMark = false
    }

    /// Reads a file.
    ///
    /// - Parameter delimiter: what separates the cells; nil to find out from the first line.
    /// - Throws: ``ImportError`` if this is no such file, or a limit is exceeded, with line and cell.
    public init(_ bytes: [UInt8], delimiter: Delimiter? = nil) throws(ImportError) {
        try Self.refuseOtherFormats(bytes)
        let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        guard bytes.count > start else { throw ImportError(.empty, "the file is empty") }
        let found = delimiter ?? Self.detectDelimiter(bytes[start...])
        var scanner = DelimitedTextScanner(delimiter: found.rawValue)
        let failure: ImportError? = bytes.withUnsafeBufferPointer { buffer in
            do throws(ImportError) {
                try scanner.scan(buffer, from: start)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
        self.bytes = bytes
        self.delimiter = found
        self.hasByteOrderMark = start == 3
        self.rows = scanner.rows
        self.cells = scanner.cells
        self.notes = start == 3 ? ["The file starts with the byte-order mark of UTF-8, which is passed over."] : []
    }

    private static func refuseOtherFormats(_ bytes: [UInt8]) throws(ImportError) {
        guard !bytes.isEmpty else { throw ImportError(.empty, "the file is empty") }
        guard bytes.count <= ImportLimits.fileBytes else {
            throw ImportError(.limit, "the file is larger than \(ImportLimits.fileBytes >> 20) MiB")
        }
        if bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) {
            throw ImportError(
                .notText,
                "this is a workbook or an archive, not separated values"
            )
        }
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            throw ImportError(.notText, "this is UTF-16 text: save it as CSV (UTF-8) first")
        }
        if bytes.starts(with: Array("%PDF-".utf8)) {
            throw ImportError(.notText, "this is a PDF, not separated values")
        }
    }

    /// The separator that stands most often outside quotes in the first line that is not empty.
    private static func detectDelimiter(_ bytes: ArraySlice<UInt8>) -> Delimiter {
        var counts: [UInt8: Int] = [:]
        var quoted = false
        var seen = false
        for byte in bytes.prefix(ImportLimits.cellBytes) {
            if byte == 0x22 { quoted.toggle() }
            if quoted { continue }
            if byte == 0x0A || byte == 0x0D {
                if seen { break }
                continue
            }
            seen = true
            counts[byte, default: 0] += 1
        }
        return Delimiter.allCases.max { (counts[$0.rawValue] ?? 0) < (counts[$1.rawValue] ?? 0) }
            .flatMap { (counts[$0.rawValue] ?? 0) > (counts[Delimiter.comma.rawValue] ?? 0) ? $0 : nil } ?? .comma
    }
}

/// Walks over the bytes once and finds rows and cells.
struct DelimitedTextScanner {
    let delimiter: UInt8
    var rows: [DelimitedText.Row] = []
    var cells: [DelimitedText.Cell] = []
    private var line = 1
    private var rowLine = 1
    private var rowStart = 0

    init(delimiter: UInt8) { self.delimiter = delimiter }

    mutating func scan(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) throws(ImportError) {
        var position = start
        while position < bytes.count {
            rowLine = line
            rowStart = cells.count
            var ended = false
            while !ended {
                position = try scanCell(bytes, at: position)
                if position < bytes.count, bytes[position] == delimiter {
                    position += 1
                } else {
                    ended = true
                }
            }
            if position < bytes.count {
                position += bytes[position] == 0x0D && position + 1 < bytes.count && bytes[position + 1] == 0x0A ? 2 : 1
                line += 1
            }
            rows.append(DelimitedText.Row(line: rowLine, cells: rowStart..<cells.count))
            guard rows.count <= ImportLimits.rows else {
                throw ImportError(.limit, "the file has more than \(ImportLimits.rows) rows", line: rowLine)
            }
        }
    }

    private var column: Int { cells.count - rowStart + 1 }

    /// Reads one cell; returns the position of the separator or line end behind it, or the end of the bytes.
    private mutating func scanCell(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int) throws(ImportError) -> Int {
        guard column <= ImportLimits.columns else {
            throw ImportError(.limit, "the row has more than \(ImportLimits.columns) cells", line: rowLine)
        }
        if start < bytes.count, bytes[start] == 0x22 { return try scanQuoted(bytes, at: start) }
        var position = start
        var stray = false
        while position < bytes.count {
            let byte = bytes[position]
            if byte == delimiter || byte == 0x0A || byte == 0x0D { break }
            if byte == 0x22 { stray = true }
            if byte == 0 { throw zeroByte() }
            position += 1
        }
        try append(start, position, stray ? .stray : .plain)
        return position
    }

    private mutating func scanQuoted(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int) throws(ImportError) -> Int {
        let (openLine, openColumn) = (line, column)
        var position = start + 1
        var style = DelimitedText.Style.quoted
        while true {
            guard position < bytes.count, position - start <= ImportLimits.cellBytes + 1 else {
                let reason = position < bytes.count ? "is longer than \(ImportLimits.cellBytes) bytes" : "never ends"
                throw ImportError(
                    .openQuote, "the quoted cell that starts here \(reason): is a closing quote missing?",
                    line: openLine,
                    column: openColumn)
            }
            let byte = bytes[position]
            position += 1
            switch byte {
            case 0: throw zeroByte()
            case 0x0A: line += 1
            case 0x0D where position >= bytes.count || bytes[position] != 0x0A: line += 1
            case 0x22 where position < bytes.count && bytes[position] == 0x22:
                style = .escaped
                position += 1
            case 0x22:
                if position == bytes.count || [delimiter, 0x0A, 0x0D].contains(bytes[position]) {
                    try append(start + 1, position - 1, style)
                    return position
                }
                // Something stands behind the closing quote; it belongs to the cell and is kept.
                while position < bytes.count, ![delimiter, 0x0A, 0x0D].contains(bytes[position]) {
                    if bytes[position] == 0 { throw zeroByte() }
                    position += 1
                }
                try append(start, position, .stray)
                return position
            default: break
            }
        }
    }

    private func zeroByte() -> ImportError {
        ImportError(.notText, "a zero byte: this is not a text file", line: line, column: column)
    }

    private mutating func append(_ start: Int, _ end: Int, _ style: DelimitedText.Style) throws(ImportError) {
        guard end - start <= ImportLimits.cellBytes else {
            throw ImportError(
                .limit, "a cell is longer than \(ImportLimits.cellBytes) bytes", line: line, column: column)
        }
        cells.append(DelimitedText.Cell(start: UInt32(start), end: UInt32(end), style: style))
    }
}
