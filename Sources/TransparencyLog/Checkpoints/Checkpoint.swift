/// A log's tree at one size: the text of a checkpoint note (section 2, C2SP tlog-checkpoint).
///
/// Layout: origin, tree size in decimal, base64 of the root, then extension lines (Entente's logs have none), each
/// ended by a newline. Example:
///
///     log.example/test
///     8
///     XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=
///
/// Nothing here says that anyone signed it: see ``VerifiedNote`` and ``TLogPolicy``.
public struct Checkpoint: Hashable, Sendable {
    /// The greatest tree size: 2^63 - 1.
    public static let maximumSize = UInt64(Int64.max)
    /// The most extension lines that are accepted.
    public static let maximumExtensionCount = 64
    /// The most bytes of a checkpoint's text.
    public static let maximumByteCount = 65_536

    private let exactOrigin: ExactText
    private let exactExtensions: [ExactText]
    /// The number of entries.
    public let size: UInt64
    /// The root of the tree of that size.
    public let root: HashValue

    /// Which log it is; the name of its key.
    public var origin: String {
        exactOrigin.string
    }

    /// The opaque lines after the root, without their newlines.
    public var extensions: [String] {
        exactExtensions.map(\.string)
    }

    /// Makes a checkpoint.
    /// - Throws: ``TransparencyLogError/Code/invalidCheckpoint`` if the origin or an extension line is empty or has a
    ///   control character, or the size or a limit is exceeded.
    public init(origin: String, size: UInt64, root: HashValue, extensions: [String] = []) throws {
        for line in [origin] + extensions {
            guard !line.isEmpty, LineText.hasNoControls(line.utf8, newlineAllowed: false) else {
                throw TransparencyLogError(.invalidCheckpoint, "a line is empty or has a control character")
            }
        }
        guard size <= Self.maximumSize else {
            throw TransparencyLogError(.invalidCheckpoint, "a tree size is above 2^63 - 1")
        }
        guard extensions.count <= Self.maximumExtensionCount else {
            throw TransparencyLogError(.invalidCheckpoint, "more than \(Self.maximumExtensionCount) extension lines")
        }
        exactOrigin = ExactText(origin)
        exactExtensions = extensions.map(ExactText.init)
        self.size = size
        self.root = root
        guard text.count <= Self.maximumByteCount else {
            throw TransparencyLogError(.invalidCheckpoint, "more than \(Self.maximumByteCount) bytes")
        }
    }

    /// Parses the text of a checkpoint note.
    ///
    /// An empty tree's root is not looked at here: a witness has to answer a wrong one differently (section 5).
    /// - Throws: ``TransparencyLogError/Code/invalidCheckpoint`` for anything but the one encoding of a checkpoint.
    public init(parsing text: [UInt8]) throws {
        guard text.count <= Self.maximumByteCount, text.last == UInt8(ascii: "\n") else {
            throw TransparencyLogError(.invalidCheckpoint, "a checkpoint ends with a newline and is short")
        }
        var lines = LineReader(text)
        guard let origin = lines.next().flatMap(LineText.string) else {
            throw TransparencyLogError(.invalidCheckpoint, "an origin is not UTF-8")
        }
        guard let size = lines.next().flatMap({ Decimal64.parse($0) }) else {
            throw TransparencyLogError(.invalidCheckpoint, "a tree size is no plain decimal", at: lines.place)
        }
        guard let root = lines.next().flatMap({ HashValue(base64Bytes: $0) }) else {
            throw TransparencyLogError(.invalidCheckpoint, "a root is not base64 of 32 bytes", at: lines.place)
        }
        var extensions: [String] = []
        while let line = lines.next() {
            guard extensions.count < Self.maximumExtensionCount, let string = LineText.string(line) else {
                throw TransparencyLogError(.invalidCheckpoint, "extension lines are not UTF-8, or too many")
            }
            extensions.append(string)
        }
        try self.init(origin: origin, size: size, root: root, extensions: extensions)
    }

    /// The text to sign: exactly the bytes that it was parsed from.
    public var text: [UInt8] {
        var text = "\(origin)\n\(size)\n\(root.base64)\n"
        for line in exactExtensions { text += "\(line.string)\n" }
        return Array(text.utf8)
    }
}
