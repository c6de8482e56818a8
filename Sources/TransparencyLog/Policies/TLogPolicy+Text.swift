extension TLogPolicy {
    /// Parses a policy file.
    ///
    /// Comments, empty lines and superfluous white space are allowed, and are not kept.
    /// - Throws: ``TransparencyLogError/Code/invalidPolicy``, ``TransparencyLogError/Code/limitExceeded``, and what
    ///   ``VerifierKey/init(parsing:)`` throws.
    public init(parsing bytes: [UInt8]) throws {
        guard bytes.count <= Self.maximumByteCount else {
            throw TransparencyLogError(.limitExceeded, "a policy has more than \(Self.maximumByteCount) bytes")
        }
        guard bytes.allSatisfy({ $0 == 0x09 || $0 == 0x0A || ($0 >= 0x20 && $0 != 0x7F) }) else {
            throw TransparencyLogError(.invalidPolicy, "a policy has control characters")
        }
        guard bytes.last == UInt8(ascii: "\n") else {
            throw TransparencyLogError(.invalidPolicy, "a policy's last line has no newline")
        }
        var draft = Draft()
        var lines = LineReader(bytes)
        while let line = lines.next() {
            let words = line.split { $0 == 0x20 || $0 == 0x09 }
            guard let first = words.first, first.first != UInt8(ascii: "#") else { continue }
            try draft.take(words, place: lines.place)
        }
        guard let quorum = draft.quorum else {
            throw TransparencyLogError(.invalidPolicy, "a policy has no quorum line")
        }
        try self.init(logs: draft.logs, witnesses: draft.witnesses, groups: draft.groups, quorumName: quorum)
    }

    /// What the lines read so far have said.
    private struct Draft {
        var logs: [Log] = []
        var witnesses: [Witness] = []
        var groups: [Group] = []
        var quorum: [UInt8]?
        var names: Set<[UInt8]> = [TLogPolicy.noneName]

        mutating func take(_ words: [ArraySlice<UInt8>], place: String) throws {
            let keyword = String(decoding: words[0], as: UTF8.self)
            switch (keyword, words.count) {
            case ("log", 2...3):
                try limit(logs.count, place)
                let key = try VerifierKey(parsing: words[1])
                logs.append(Log(key: key, urlBytes: words.count > 2 ? Array(words[2]) : nil))
            case ("witness", 3...4):
                try limit(witnesses.count, place)
                let key = try VerifierKey(parsing: words[2])
                let url = words.count > 3 ? Array(words[3]) : nil
                witnesses.append(Witness(name: Array(words[1]), key: key, urlBytes: url))
                names.insert(Array(words[1]))
            case ("group", 4...):
                try limit(groups.count, place)
                try takeGroup(words, place)
            case ("quorum", 2):
                let name = Array(words[1])
                guard quorum == nil, names.contains(name) else {
                    throw TransparencyLogError(.invalidPolicy, "a second quorum, or of a name not defined", at: place)
                }
                quorum = name
            default:
                throw TransparencyLogError(.invalidPolicy, "no line of a policy", at: place)
            }
        }

        private mutating func takeGroup(_ words: [ArraySlice<UInt8>], _ place: String) throws {
            let members = words[3...].map { Array($0) }
            let threshold: UInt64? =
                if words[2].elementsEqual("all".utf8) {
                    UInt64(members.count)
                } else if words[2].elementsEqual("any".utf8) {
                    1
                } else {
                    Decimal64.parse(words[2])
                }
            guard let threshold, threshold >= 1, threshold <= UInt64(members.count) else {
                throw TransparencyLogError(.invalidPolicy, "no threshold from 1 to the number of members", at: place)
            }
            // Checked here and not only at the end: a group may not look ahead, not even to a witness.
            guard members.allSatisfy({ names.contains($0) && $0 != TLogPolicy.noneName }) else {
                throw TransparencyLogError(.invalidPolicy, "a group's member is not defined before it", at: place)
            }
            groups.append(Group(name: Array(words[1]), threshold: Int(threshold), memberNames: members))
            names.insert(Array(words[1]))
        }

        private func limit(_ count: Int, _ place: String) throws {
            guard count < TLogPolicy.maximumCount else {
                throw TransparencyLogError(.limitExceeded, "more than \(TLogPolicy.maximumCount) of a kind", at: place)
            }
        }
    }

    /// The policy as a file: logs, witnesses, groups, quorum; thresholds as numbers. It parses to an equal policy.
    public var bytes: [UInt8] {
        let space = UInt8(ascii: " ")
        var bytes: [UInt8] = []
        func line(_ words: [[UInt8]]) {
            bytes.append(contentsOf: words.joined(separator: [space]))
            bytes.append(UInt8(ascii: "\n"))
        }
        for log in logs {
            line([Array("log".utf8), Array(log.key.description.utf8)] + (log.url.map { [$0] } ?? []))
        }
        for witness in witnesses {
            let key = Array(witness.key.description.utf8)
            line([Array("witness".utf8), witness.name, key] + (witness.url.map { [$0] } ?? []))
        }
        for group in groups {
            line([Array("group".utf8), group.name, Array(String(group.threshold).utf8)] + group.members)
        }
        line([Array("quorum".utf8), quorum])
        return bytes
    }
}
