/// Something in a row that was not taken exactly as it stands in the file, or that an officer should look at.
public struct ImportNote: Hashable, Sendable {
    /// What kind of thing it is; a report may count notes of one kind together.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// White space at the ends of a cell, or line ends inside it.
        case whiteSpace = "white-space"
        /// Bytes that were read by Windows-1252.
        case encoding
        /// The replacement character U+FFFD: the file had already lost a character when it was written.
        case lostCharacter = "lost-character"
        /// A quote or a number of cells that the format does not have.
        case shape
        /// A date in another way of writing.
        case date
        /// A number in another way of writing.
        case number
        /// A LEI or another identifier in another way of writing, or left out.
        case identifier
        /// Items of a list: empty, repeated, in another case, otherwise separated.
        case list
        /// A service that is not written as the regulation writes it.
        case service
        /// A website from which no domain, or more than one, was read.
        case website
        /// A status in another way of writing, or read from other columns.
        case status
        /// A key that was made from other columns.
        case key
        /// Words such as `n/a` that were read as no value.
        case noValue = "no-value"
        /// A row that stands in the file twice.
        case repeated
    }

    /// What kind of note this is.
    public let kind: Kind
    /// The column's name as in the file's header; empty if the note is about the whole row.
    public let column: String
    /// What stands in the file, if one text does.
    public let found: String?
    /// What it was read as, if it was read as something else.
    public let readAs: String?
    /// The whole note as a clause for people, such as `date "3 Nov 2026" read as 2026-11-03`.
    public let text: String

    init(_ kind: Kind, column: String, found: String? = nil, readAs: String? = nil, _ text: String) {
        self.kind = kind
        self.column = column
        self.found = found
        self.readAs = readAs
        self.text = text
    }
}

/// One entry that a row of the file asks to be published. A row that says when an authorisation ended makes two.
public struct ImportedRow: Hashable, Sendable {
    /// The row of the file, from 1 for the first one after the header.
    public let row: Int
    /// The line of the file on which that row starts, from 1.
    public let line: Int
    /// The key in canonical form.
    public let key: String
    /// A status of the register's vocabulary.
    public let status: String
    /// From when the entry speaks; nil if the file does not say, which means from when it is published.
    public let validFrom: Timestamp?
    /// Until when the entry speaks, if the file says so.
    public let validUntil: Timestamp?
    /// The fields that have a value, in the order of the definition; valid against it.
    public let fields: JSONObject
    /// Whether this is what held before another entry of the same row, and so is published only where the register does
    /// not have it yet.
    public let isHistory: Bool
    /// What was not taken exactly as it stands. An entry that ``isHistory`` has none: they stand with the other one.
    public let notes: [ImportNote]
}

/// A row of the file that cannot be taken, and why.
public struct RefusedRow: Hashable, Sendable {
    /// One reason, and the column that it is about.
    public struct Reason: Hashable, Sendable {
        /// The column's name as in the file's header; empty if it is about the whole row.
        public let column: String
        /// The reason as a clause for people.
        public let text: String
    }

    /// The row of the file, from 1 for the first one after the header.
    public let row: Int
    /// The line of the file on which that row starts, from 1.
    public let line: Int
    /// The key, as far as it could be read: such a row is not missing from the file.
    public let key: String?
    /// All reasons that were found.
    public let reasons: [Reason]
}

/// A row of the file that says the same as an earlier one, and so is taken with it.
public struct RepeatedRow: Hashable, Sendable {
    /// The row of the file, from 1 for the first one after the header.
    public let row: Int
    /// The line of the file on which that row starts, from 1.
    public let line: Int
    /// The key in canonical form.
    public let key: String
    /// What is to be said of the row; one note names the line of the earlier row.
    public let notes: [ImportNote]
}

/// What a file says: every row of it, taken or refused. Nothing is published by reading.
public struct ImportResult: Hashable, Sendable {
    /// How many rows went which way. `read` is the sum of the three after it.
    public struct Counts: Hashable, Sendable {
        /// Rows that hold anything, without the header.
        public var read = 0
        /// Rows taken exactly as written.
        public var asWritten = 0
        /// Rows taken with at least one note.
        public var withNotes = 0
        /// Rows that cannot be taken.
        public var refused = 0
        /// Empty rows, which are passed over.
        public var blank = 0
    }

    /// The register that was read for.
    public let register: String
    /// The layout that the header showed.
    public let layout: ImportLayout
    /// What the rows ask to be published, in the order of the file.
    public let rows: [ImportedRow]
    /// The rows that cannot be taken, in the order of the file.
    public let refused: [RefusedRow]
    /// The rows that say the same as an earlier one, in the order of the file; counted as taken with a note.
    public let repeated: [RepeatedRow]
    /// What the file has columns for, of ``RegisterDefinition/columns`` and in that order.
    public let columns: [String]
    /// How many rows went which way.
    public let counts: Counts

    /// Every row that has notes, in the order of the file.
    public var noted: [(row: Int, line: Int, key: String, notes: [ImportNote])] {
        let taken = rows.filter { !$0.notes.isEmpty }.map { ($0.row, $0.line, $0.key, $0.notes) }
        let all = taken + repeated.map { ($0.row, $0.line, $0.key, $0.notes) }
        return all.sorted { $0.0 < $1.0 }
    }

    /// What is to be said of the file as a whole, as sentences.
    public let fileNotes: [String]
}

/// The layouts that can be read.
public enum ImportLayout: String, Hashable, Sendable, CaseIterable {
    /// The register's own: the columns of ``RegisterDefinition/columns``.
    case own
    /// Crypto-asset service providers in the interim register of the European Securities and Markets Authority.
    case esmaCASP = "esma-casp"
    /// Non-compliant entities in that register.
    case esmaNCASP = "esma-ncasp"
    /// White papers of other crypto-assets in that register.
    case esmaOTHER = "esma-other"
    /// White papers of e-money tokens in that register.
    case esmaEMT = "esma-emt"
    /// White papers of asset-referenced tokens in that register.
    case esmaART = "esma-art"
    /// The publisher's own columns, by a ``ColumnMap``.
    case mapped
}
