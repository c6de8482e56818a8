/// A reader of bytes from outside, and what must hold of whatever it is given.
///
/// A property that does not hold traps, as any other fault of the reader does: libFuzzer keeps the input, and the
/// ordinary tests run every input that was kept.
public struct FuzzTarget: Sendable, CustomStringConvertible {
    /// Its name: the argument of `Tests/Fuzz/run`, and the folder below `crashes`.
    public let name: String
    /// The folders of `Tests/BadInput` that it starts from.
    public let seeds: [String]
    /// The most bytes of an input that are tried.
    public let longest: Int
    /// Runs one input.
    public let run: @Sendable ([UInt8]) -> Void

    init(_ name: String, seeds: [String], longest: Int = 4_096, _ run: @escaping @Sendable ([UInt8]) -> Void) {
        self.name = name
        self.seeds = seeds
        self.longest = longest
        self.run = run
    }

    public var description: String { name }

    /// All of them.
    public static let all = logFormats + documents + fromPeers + ofTheNode

    /// Traps unless the condition holds.
    static func require(_ condition: Bool, _ what: StaticString) {
        if !condition { fatalError("a property does not hold: \(what)") }
    }
}
