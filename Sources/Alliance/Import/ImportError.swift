/// Why a file cannot be imported at all. A single row that cannot is a ``RefusedRow`` instead.
///
/// Compare by ``code``; ``reason`` is for people and may change.
public struct ImportError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of thing is wrong.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        /// No bytes, or nothing but a byte-order mark or empty lines.
        case empty
        /// A limit of ``ImportLimits`` is exceeded.
        case limit
        /// Not text that separates cells: zero bytes, UTF-16, an archive, a picture.
        case notText
        /// A quoted cell that never ends.
        case openQuote
        /// A header that is no known layout, or that lacks, repeats or invents columns.
        case header
        /// A known layout, of another register.
        case layout
        /// A ``ColumnMap`` that is none, or that does not fit the file or the register.
        case map
        /// A workbook that is damaged, or made so that reading it would cost too much.
        case workbook
    }

    /// What kind of error this is.
    public let code: Code
    /// What is wrong and what to do, for people.
    public let reason: String
    /// The line of the file, from 1, if the error has one.
    public let line: Int?
    /// The cell within its line, from 1, if the error has one.
    public let column: Int?

    /// Creates an error.
    public init(_ code: Code, _ reason: String, line: Int? = nil, column: Int? = nil) {
        self.code = code
        self.reason = reason
        self.line = line
        self.column = column
    }

    public var description: String {
        switch (line, column) {
        case (let line?, let column?): "line \(line), column \(column): \(reason)"
        case (let line?, nil): "line \(line): \(reason)"
        default: reason
        }
    }
}

/// Limits on files from outside, checked while they are read.
public enum ImportLimits {
    /// Bytes of a file.
    public static let fileBytes = 64 << 20
    /// Bytes of all cells of a workbook's sheet.
    public static let tableBytes = 256 << 20
    /// Rows of a file, its header included.
    public static let rows = 1_000_000
    /// Bytes of one cell.
    public static let cellBytes = 64 << 10
    /// Cells of one row.
    public static let columns = 256
    /// Cells of a workbook's sheet, empty ones included: a header that is wide stands for cells in every row.
    public static let cells = 16_000_000
    /// Rows whose cells are shown one by one in a report before it says "and n more".
    public static let shownLines = 200
}
