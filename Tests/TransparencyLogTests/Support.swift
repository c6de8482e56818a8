import Testing
import TransparencyLog

/// A small generator whose sequence is the same everywhere, so that a failing test fails again.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Expects an error of a code.
func expectThrows(
    _ code: TransparencyLogError.Code,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
) {
    #expect(throws: TransparencyLogError(code, ""), sourceLocation: sourceLocation) { try body() }
}

/// Whether a piece of code throws an error of ours.
func isRefused(_ body: () throws -> Void) -> Bool {
    do {
        try body()
        return false
    } catch is TransparencyLogError {
        return true
    } catch {
        return false
    }
}

extension [UInt8] {
    /// The bytes with one bit changed.
    func flipping(bit: Int) -> [UInt8] {
        var bytes = self
        bytes[bit / 8] ^= 0x80 >> UInt8(bit % 8)
        return bytes
    }
}

extension HashValue {
    func flipping(bit: Int) -> HashValue {
        HashValue(bytes.flipping(bit: bit)) ?? .zero
    }
}

func utf8(_ text: String) -> [UInt8] {
    Array(text.utf8)
}

/// The vector of section 7: one seed for both keys.
enum Vector {
    static let seed = [UInt8](0..<32)
    static let text = "log.example/test\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n"
    static let logKey = "log.example/test+6ffdf1c0+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
    static let witnessKey = "witness.example/w1+e75f6532+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
    static let logLine =
        "\u{2014} log.example/test b/3xwFbBzq6WxlhERAqWHtWNp41ryrJj3XdsjsM9ql7i1JVfR7xlWb0wYcN9M1nVSJQWnpx/"
        + "XB2Jg4iGplBK5rSJCQ8="
    static let witnessLine =
        "\u{2014} witness.example/w1 519lMgAAAABlU/EAA//EkmbxjRQ3hxhPp2jdu2s3BJWEkudpewmZqzHmzhkw+SFYD08ER+"
        + "sysUOKvHf3F1cKBNpvJS5WyaFvZwlnBQ=="
    static let time: UInt64 = 1_700_000_000

    static var note: [UInt8] {
        utf8(text + "\n" + logLine + "\n" + witnessLine + "\n")
    }

    static func keys() throws -> [VerifierKey] {
        [try VerifierKey(parsing: logKey), try VerifierKey(parsing: witnessKey)]
    }

    /// A policy under which the log's and the witness's lines are both needed.
    static func policy() throws -> TLogPolicy {
        try TLogPolicy(parsing: utf8("log \(logKey)\nwitness w1 \(witnessKey)\nquorum w1\n"))
    }
}

/// Another cosigner, told apart by a number.
func cosigner(_ number: UInt8) throws -> CosignatureSigner {
    try CosignatureSigner(name: "witness.example/\(number)", seed: [UInt8](repeating: number, count: 32))
}

/// RFC 6962 section 2.1, read aloud; knows the roots of parts that it has hashed before.
final class ReferenceTree {
    let leaves: [HashValue]
    private var roots: [Range<Int>: HashValue] = [:]

    init(_ count: Int) {
        leaves = (0..<count).map { MerkleTree.leafHash(ReferenceTree.entry($0)) }
    }

    static func entry(_ index: Int) -> [UInt8] {
        Array("entry \(index)".utf8)
    }

    private func split(_ part: Range<Int>) -> Int {
        var power = 1
        while power * 2 < part.count { power *= 2 }
        return part.lowerBound + power
    }

    func root(_ part: Range<Int>) -> HashValue {
        if part.isEmpty { return HashValue.sha256([] as [UInt8]) }
        if part.count == 1 { return leaves[part.lowerBound] }
        if let known = roots[part] { return known }
        let middle = split(part)
        let left = root(part.lowerBound..<middle)
        let right = root(middle..<part.upperBound)
        let hash = HashValue.sha256([1] + left.bytes + right.bytes)
        roots[part] = hash
        return hash
    }

    func path(_ index: Int, in part: Range<Int>) -> [HashValue] {
        if part.count == 1 { return [] }
        let middle = split(part)
        return index < middle
            ? path(index, in: part.lowerBound..<middle) + [root(middle..<part.upperBound)]
            : path(index, in: middle..<part.upperBound) + [root(part.lowerBound..<middle)]
    }

    func proof(_ size: Int, in part: Range<Int>, isWhole: Bool = true) -> [HashValue] {
        if size == part.upperBound { return isWhole ? [] : [root(part)] }
        let middle = split(part)
        return size <= middle
            ? proof(size, in: part.lowerBound..<middle, isWhole: isWhole) + [root(middle..<part.upperBound)]
            : proof(size, in: middle..<part.upperBound, isWhole: false) + [root(part.lowerBound..<middle)]
    }
}

/// Keeps every complete node, as a frontier tells of it.
struct NodeTable: TreeHashReader {
    private(set) var nodes: [TreeNode: HashValue] = [:]
    private(set) var frontier = TreeFrontier()

    init(_ leaves: [HashValue]) {
        for leaf in leaves { append(leaf) }
    }

    mutating func append(_ leaf: HashValue) {
        frontier.append(leaf) { nodes[TreeNode(level: $0, index: $1)] = $2 }
    }

    func hashes(at wanted: [TreeNode]) throws -> [HashValue] {
        wanted.compactMap { nodes[$0] }
    }
}
