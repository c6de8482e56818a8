/// A regular expression that matches a whole text in time linear in its length, whatever the text and the pattern.
///
/// Definitions come from peers, so a pattern that backtracks would be a way to stop a node. The dialect is the common
/// part of XML Schema's and Python's (which Frictionless tools use): literals, `.`, classes such as `[A-Z_-]` and
/// `[^0-9]`, `\d \w \s` for ASCII, escapes, groups, `|` and the repetitions `? * + {m} {m,} {m,n}`. Anchors,
/// references and look-around are refused.
public struct FieldPattern: Hashable, Sendable {
    /// The pattern as written.
    public let source: String
    private let program: [Instruction]

    /// Most states of a pattern: a text of n characters takes at most n times as many steps.
    public static let maximumStates = 512

    /// Reads a pattern.
    ///
    /// - Throws: ``RegisterError`` with code `pattern`.
    public init(_ source: String) throws(RegisterError) {
        var parser = PatternParser(source)
        let tree = try parser.parse()
        var program: [Instruction] = []
        try Self.compile(tree, into: &program)
        program.append(.accept)
        self.source = source
        self.program = program
    }

    /// Whether the whole text matches.
    public func matches(_ text: String) -> Bool {
        var current = StateSet(count: program.count)
        var next = StateSet(count: program.count)
        follow(0, into: &current)
        for scalar in text.unicodeScalars {
            next.removeAll()
            for state in current.members {
                if case .match(let set) = program[state], set.contains(scalar) { follow(state + 1, into: &next) }
            }
            swap(&current, &next)
            if current.members.isEmpty { return false }
        }
        return current.members.contains { program[$0] == .accept }
    }

    public static func == (left: FieldPattern, right: FieldPattern) -> Bool {
        left.source.utf8.elementsEqual(right.source.utf8)
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(source) }

    private func follow(_ state: Int, into set: inout StateSet) {
        var waiting = [state]
        while let state = waiting.popLast() {
            guard set.insert(state) else { continue }
            switch program[state] {
            case .jump(let target): waiting.append(target)
            case .split(let first, let second): waiting.append(contentsOf: [second, first])
            case .match, .accept: break
            }
        }
    }

    private static func compile(_ tree: PatternTree, into program: inout [Instruction]) throws(RegisterError) {
        guard program.count < maximumStates else { throw RegisterError(.pattern, "has too many states") }
        switch tree {
        case .set(let set): program.append(.match(set))
        case .sequence(let parts): for part in parts { try compile(part, into: &program) }
        case .choice(let options):
            var jumps: [Int] = []
            for (index, option) in options.enumerated() {
                let isLast = index == options.count - 1
                let split = program.count
                if !isLast { program.append(.split(0, 0)) }
                try compile(option, into: &program)
                guard !isLast else { break }
                jumps.append(program.count)
                program.append(.jump(0))
                program[split] = .split(split + 1, program.count)
            }
            for jump in jumps { program[jump] = .jump(program.count) }
        case .repetition(let inner, let least, let most):
            for _ in 0..<least { try compile(inner, into: &program) }
            guard let most else {
                let split = program.count
                program.append(.split(0, 0))
                try compile(inner, into: &program)
                program.append(.jump(split))
                program[split] = .split(split + 1, program.count)
                return
            }
            var splits: [Int] = []
            for _ in 0..<(most - least) {
                splits.append(program.count)
                program.append(.split(0, 0))
                try compile(inner, into: &program)
            }
            for split in splits { program[split] = .split(split + 1, program.count) }
        }
        guard program.count < maximumStates else { throw RegisterError(.pattern, "has too many states") }
    }

    private enum Instruction: Hashable, Sendable {
        case match(PatternSet)
        case jump(Int)
        case split(Int, Int)
        case accept
    }

    private struct StateSet {
        var members: [Int] = []
        private var present: [Bool]

        init(count: Int) { present = [Bool](repeating: false, count: count) }

        mutating func insert(_ state: Int) -> Bool {
            if present[state] { return false }
            present[state] = true
            members.append(state)
            return true
        }

        mutating func removeAll() {
            for state in members { present[state] = false }
            members.removeAll(keepingCapacity: true)
        }
    }
}

/// A set of scalars: ranges, or all but these.
struct PatternSet: Hashable, Sendable {
    var ranges: [ClosedRange<UInt32>]
    var inverted = false

    func contains(_ scalar: Unicode.Scalar) -> Bool { ranges.contains { $0.contains(scalar.value) } != inverted }

    static let any = PatternSet(ranges: [0x0A...0x0A, 0x0D...0x0D], inverted: true)
    static let digits = PatternSet(ranges: [0x30...0x39])
    static let word = PatternSet(ranges: [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let space = PatternSet(ranges: [0x09...0x0D, 0x20...0x20])

    static func one(_ scalar: Unicode.Scalar) -> PatternSet { PatternSet(ranges: [scalar.value...scalar.value]) }
}

indirect enum PatternTree {
    case set(PatternSet)
    case sequence([PatternTree])
    case choice([PatternTree])
    case repetition(PatternTree, least: Int, most: Int?)
}

struct PatternParser {
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var depth = 0

    init(_ source: String) { scalars = Array(source.unicodeScalars) }

    mutating func parse() throws(RegisterError) -> PatternTree {
        guard !scalars.isEmpty, scalars.count <= 1_024 else { throw wrong("is empty or longer than 1,024 characters") }
        let tree = try choice()
        guard position == scalars.count else { throw wrong("has a ) that closes nothing") }
        return tree
    }

    private func wrong(_ reason: String) -> RegisterError { RegisterError(.pattern, "the pattern \(reason)") }

    private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func choice() throws(RegisterError) -> PatternTree {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 32 else { throw wrong("is nested too deeply") }
        var options = [try sequence()]
        while next == "|" {
            position += 1
            options.append(try sequence())
        }
        return options.count == 1 ? options[0] : .choice(options)
    }

    private mutating func sequence() throws(RegisterError) -> PatternTree {
        var parts: [PatternTree] = []
        while let scalar = next, scalar != "|", scalar != ")" { parts.append(try repeated(try atom())) }
        return .sequence(parts)
    }

    private mutating func repeated(_ inner: PatternTree) throws(RegisterError) -> PatternTree {
        let bounds: (Int, Int?)
        switch next {
        case "?": bounds = (0, 1)
        case "*": bounds = (0, nil)
        case "+": bounds = (1, nil)
        case "{":
            position += 1
            let least = try number()
            var most: Int? = least
            if next == "," {
                position += 1
                most = next == "}" ? nil : try number()
            }
            guard next == "}", most.map({ $0 >= least }) ?? true else {
                throw wrong("has a repetition that is not one")
            }
            bounds = (least, most)
        default: return inner
        }
        position += 1
        if let next, "?*+{".unicodeScalars.contains(next) { throw wrong("repeats a repetition") }
        return .repetition(inner, least: bounds.0, most: bounds.1)
    }

    private mutating func number() throws(RegisterError) -> Int {
        var value = 0
        let start = position
        while let scalar = next, ("0"..."9").contains(scalar), value <= FieldPattern.maximumStates {
            value = value * 10 + Int(scalar.value - 0x30)
            position += 1
        }
        guard position > start, value <= FieldPattern.maximumStates else {
            throw wrong("has a repetition that is not one")
        }
        return value
    }

    private mutating func atom() throws(RegisterError) -> PatternTree {
        guard let scalar = next else { throw wrong("ends too early") }
        position += 1
        switch scalar {
        case ".": return .set(.any)
        case "[": return .set(try setOfClass())
        case "\\": return .set(try escape())
        case "(":
            if next == "?" {
                guard position + 1 < scalars.count, scalars[position + 1] == ":" else {
                    throw wrong("has an unknown group")
                }
                position += 2
            }
            let inner = try choice()
            guard next == ")" else { throw wrong("has a ( without its )") }
            position += 1
            return inner
        case "^", "$": throw wrong("has an anchor: it always matches the whole value")
        case "?", "*", "+", "{", "}", "]": throw wrong("has a \(scalar) that stands for nothing")
        default: return .set(.one(scalar))
        }
    }

    private mutating func escape() throws(RegisterError) -> PatternSet {
        guard let scalar = next else { throw wrong("ends in a backslash") }
        position += 1
        switch scalar {
        case "d": return .digits
        case "w": return .word
        case "s": return .space
        case "n": return .one("\n")
        case "t": return .one("\t")
        case "r": return .one("\r")
        default:
            guard scalar.isASCII, !scalar.properties.isAlphabetic, !("0"..."9").contains(scalar) else {
                throw wrong("has the unknown escape \\\(scalar)")
            }
            return .one(scalar)
        }
    }

    private mutating func setOfClass() throws(RegisterError) -> PatternSet {
        var set = PatternSet(ranges: [])
        if next == "^" {
            set.inverted = true
            position += 1
        }
        while let scalar = next, scalar != "]" {
            position += 1
            var low = PatternSet.one(scalar)
            if scalar == "\\" { low = try escape() }
            if scalar == "[" { throw wrong("has a [ inside a class: write \\[") }
            guard next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
                set.ranges.append(contentsOf: low.ranges)
                continue
            }
            position += 1
            let end = scalars[position]
            position += 1
            let high = end == "\\" ? try escape() : .one(end)
            guard low.ranges.count == 1, high.ranges.count == 1, let from = low.ranges[0].first,
                low.ranges[0].count == 1, high.ranges[0].count == 1, from <= high.ranges[0].lowerBound
            else { throw wrong("has a range that is not one") }
            set.ranges.append(from...high.ranges[0].lowerBound)
        }
        guard next == "]", !set.ranges.isEmpty else { throw wrong("has an empty or open class") }
        position += 1
        return set
    }
}
