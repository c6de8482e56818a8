import TransparencyLog

extension Charter {
    /// The payload's bytes: checked, then compact JSON in a fixed order.
    public func payload() throws(AllianceError) -> [UInt8] {
        try validate()
        let object: JSONValue = [
            "alliance": .string(alliance), "version": .integer(Int64(version)),
            "previous": previous.map { .string($0.base64url) } ?? .null, "issued": .string(issued.text),
            "expires": .string(expires.text), "threshold": .integer(Int64(threshold)),
            "quorum": .integer(Int64(quorum)), "registers": .array(registers.map(\.json)),
            "members": .array(members.map(\.json)), "cuts": .array(cuts.map(\.json)),
        ]
        return object.encoded()
    }

    /// Reads and checks a payload.
    public init(payload: [UInt8]) throws(AllianceError) {
        let tape: JSONTape
        do { tape = try JSONTape(payload) } catch { throw AllianceError(.malformed, "\(error)") }
        var reader = try JSONReader(tape.root, at: "")
        alliance = try reader.string("alliance", most: 200)
        version = Int(try reader.integer("version", in: 1...1_000_000))
        previous = try reader.optionalDigest("previous")
        issued = try reader.timestamp("issued")
        expires = try reader.timestamp("expires")
        threshold = Int(try reader.integer("threshold", in: 1...Int64(Self.memberLimit)))
        quorum = Int(try reader.integer("quorum", in: 0...63))
        registers = []
        for (position, view) in try reader.array("registers", most: Self.registerLimit).enumerated() {
            registers.append(try SharedRegister(view, at: "registers[\(position)]"))
        }
        members = []
        for (position, view) in try reader.array("members", most: Self.memberLimit, least: 1).enumerated() {
            members.append(try CharterMember(view, at: "members[\(position)]"))
        }
        cuts = []
        let cutViews = try reader.array("cuts", most: Self.memberLimit)
        guard version > 1 || cutViews.isEmpty else {
            throw AllianceError(.invalidField, "version 1 has no cuts", at: "cuts")
        }
        for (position, view) in cutViews.enumerated() {
            cuts.append(try CharterCut(view, at: "cuts[\(position)]"))
        }
        try reader.finish()
        try validate()
    }
}

extension CharterCut {
    fileprivate var json: JSONValue {
        ["origin": .string(origin), "size": .integer(Int64(clamping: size)), "root": .string(root.base64url)]
    }

    fileprivate init(_ view: JSONView, at place: String) throws(AllianceError) {
        var reader = try JSONReader(view, at: place)
        let origin = try reader.string("origin", most: 200)
        let size = UInt64(try reader.integer("size", in: 0...1 << 44))
        let root = try reader.digest("root")
        try reader.finish()
        self.init(origin: origin, size: size, root: root)
    }
}

extension SharedRegister {
    fileprivate var json: JSONValue {
        var object: JSONObject = ["name": .string(name), "definition": .string(definition.base64url)]
        switch merge {
        case .each: object["merge"] = "each"
        case .joint(let writers):
            object["merge"] = "joint"
            object["writers"] = .array(writers.map { .string($0) })
        case .by(let count):
            object["merge"] = "by"
            object["k"] = .integer(Int64(count))
        }
        return .object(object)
    }

    fileprivate init(_ view: JSONView, at place: String) throws(AllianceError) {
        var reader = try JSONReader(view, at: place)
        let name = try reader.string("name", most: 64)
        let definition = try reader.digest("definition")
        let rule = try reader.string("merge", most: 16)
        let merge: MergeRule
        switch rule {
        case "each": merge = .each
        case "joint": merge = .joint(writers: try reader.strings("writers", most: Charter.memberLimit))
        case "by": merge = .by(count: Int(try reader.integer("k", in: 1...Int64(Charter.memberLimit))))
        default: throw AllianceError(.invalidField, "must be each, joint or by", at: "\(place).merge")
        }
        try reader.finish()
        self.init(name: name, definition: definition, merge: merge)
    }
}

extension CharterMember {
    fileprivate var json: JSONValue {
        var object: JSONObject = [
            "id": .string(id), "name": .string(name), "title": .string(title), "country": .string(country),
            "zone": .string(zone), "role": .string(role.rawValue), "standing": .string(standing.rawValue),
            "rootKeys": .array(rootKeys.map { ["name": .string($0.name), "key": $0.key.jwk] }),
            "rootThreshold": .integer(Int64(rootThreshold)),
            "ca": .string(authority.base64url),
            "log": ["origin": .string(log.name), "vkey": .string(log.description)],
        ]
        object["replica"] = replica.map { .string($0.description) }
        object["witness"] = witness.map { .string($0.description) }
        object["addresses"] = .array(addresses.map { .string($0) })
        return .object(object)
    }

    fileprivate init(_ view: JSONView, at place: String) throws(AllianceError) {
        var reader = try JSONReader(view, at: place)
        id = try reader.string("id", most: MemberID.byteLimit)
        name = try reader.string("name", most: 16)
        title = try reader.string("title", most: 200)
        country = try reader.string("country", most: 2)
        zone = try reader.string("zone", most: 64)
        role = try Self.word(try reader.string("role", most: 16), at: "\(place).role")
        standing = try Self.word(try reader.string("standing", most: 16), at: "\(place).standing")
        rootKeys = []
        for (position, element) in try reader.array("rootKeys", most: 16, least: 1).enumerated() {
            let keyPlace = "\(place).rootKeys[\(position)]"
            var one = try JSONReader(element, at: keyPlace)
            let keyName = try one.string("name", most: 64)
            guard KeyName.isValid(keyName) else {
                throw AllianceError(.badKey, "cannot name a key", at: "\(keyPlace).name")
            }
            rootKeys.append(RootKey(name: keyName, key: try SigningKey(jwk: try one.required("key"), at: keyPlace)))
            try one.finish()
        }
        rootThreshold = Int(try reader.integer("rootThreshold", in: 1...16))
        authority = try reader.digest("ca")
        var logReader = try JSONReader(try reader.required("log"), at: "\(place).log")
        let origin = try logReader.string("origin", most: 200)
        log = try Self.key(try logReader.string("vkey"), at: "\(place).log.vkey")
        try logReader.finish()
        guard log.name.utf8.elementsEqual(origin.utf8) else {
            throw AllianceError(.badKey, "the key's name must be the origin", at: "\(place).log")
        }
        replica = try reader.optionalString("replica").map { text throws(AllianceError) in
            try Self.key(text, at: "\(place).replica")
        }
        witness = try reader.optionalString("witness").map { text throws(AllianceError) in
            try Self.key(text, at: "\(place).witness")
        }
        addresses = try reader.strings("addresses", most: 8, length: 300)
        try reader.finish()
    }

    private static func key(_ text: String, at place: String) throws(AllianceError) -> VerifierKey {
        do { return try VerifierKey(parsing: text) } catch { throw AllianceError(.badKey, "\(error)", at: place) }
    }

    private static func word<Word: RawRepresentable<String> & CaseIterable>(
        _ text: String, at place: String
    ) throws(AllianceError) -> Word {
        guard let word = Word(rawValue: text) else {
            let choices = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw AllianceError(.invalidField, "must be one of \(choices)", at: place)
        }
        return word
    }
}
