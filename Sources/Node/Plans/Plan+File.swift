import Alliance
import Store
import TransparencyLog

extension Plan {
    /// What the first line says.
    struct Header {
        let alliance: HashValue
        let member: String
        let title: String
        let zone: String
        let register: String?
        let made: Int64
        let base: UInt64
        let known: KnownSizes?
        let officers: [OfficerKey]
        let twoOfficers: Bool
        let summary: [String]
        let documents: [PlanDocument]
        let roots: PlanRoots?
        let steps: Int

        init(parsing bytes: [UInt8], file: String) throws(SetupError) {
            var reader: StrictObject
            do throws(SetupError) {
                reader = try StrictObject(parsing: bytes, file: file)
                _ = try reader.integer("entente-plan", in: 1...1)
            } catch {
                throw SetupError(.malformed, file, "is no plan: \(error.reason)")
            }
            alliance = try reader.digest("alliance")
            member = try reader.string("member", most: MemberID.byteLimit)
            guard MemberID.isValid(member) else { throw reader.error("member", "must be a member's id") }
            title = try reader.string("title", most: 200)
            zone = try reader.string("zone", most: 64)
            register = try reader.optionalString("register", most: 64)
            made = try reader.integer("made", in: 0...(1 << 40))
            base = UInt64(try reader.integer("base", in: 0...JSONLimits.integer))
            known = try Self.known(&reader)
            officers = try reader.objects("officers", most: Roster.entryLimit) {
                (one: inout StrictObject) throws(SetupError) in
                OfficerKey(name: try one.string("name", most: 64), key: try one.bytes("key", most: 64))
            }
            twoOfficers = try reader.bool("twoOfficers")
            summary = try reader.strings("summary", most: 10_000, length: 4_096)
            documents = try reader.objects("documents", most: 1_000) { (one: inout StrictObject) throws(SetupError) in
                let digest = try one.digest("sha256")
                let size = try one.integer("size", in: 0...PolicyDocument.sizeLimit)
                let name = try one.string("name", most: 255)
                let path = try one.string("path", most: 4_096)
                var bytes: [UInt8]?
                if one.optional("bytes") != nil {
                    bytes = try one.bytes("bytes", most: PlanDocument.embeddedLimit * 4 / 3 + 4)
                    guard let bytes, Int64(bytes.count) == size, HashValue.sha256(bytes) == digest else {
                        throw one.error("bytes", "are not those of the digest")
                    }
                }
                return PlanDocument(digest: digest, size: size, name: name, path: path, bytes: bytes)
            }
            steps = Int(try reader.integer("steps", in: 1...Int64(Plan.stepLimit)))
            roots = try Self.roots(&reader, file: file)
            guard roots == nil || steps == 1 else {
                throw reader.error("steps", "a plan of a new roster has one step")
            }
            try reader.finish()
        }

        private static func known(_ reader: inout StrictObject) throws(SetupError) -> KnownSizes? {
            guard let text = try reader.optionalString("known", most: Charter.memberLimit * 100) else { return nil }
            guard let known = KnownSizes(parsing: text), known.text.utf8.elementsEqual(text.utf8) else {
                throw reader.error("known", "must be sizes of logs, by the members' names, such as sv:120,us:7")
            }
            return known
        }

        private static func roots(_ reader: inout StrictObject, file: String) throws(SetupError) -> PlanRoots? {
            guard let value = reader.optional("roots") else { return nil }
            var roots = try StrictObject(value, file: file, path: "roots")
            let keys = try roots.objects("keys", most: 16, least: 1) { (one: inout StrictObject) throws(SetupError) in
                OfficerKey(name: try one.string("name", most: 64), key: try one.bytes("key", most: 64))
            }
            let threshold = Int(try roots.integer("threshold", in: 1...Int64(keys.count)))
            let previous = try roots.bytes("previous", most: Statement.byteLimit * 4 / 3 + 4)
            try roots.finish()
            let read = PlanRoots(threshold: threshold, keys: keys, previous: previous)
            guard read.roster != nil else { throw roots.error("previous", "is no roster") }
            return read
        }
    }

    /// Reads a plan's bytes and checks every step: the member's and the alliance's, and of a kind that is known.
    ///
    /// - Parameter file: its path, for errors.
    /// - Throws: ``SetupError`` with code `malformed`.
    public init(parsing bytes: [UInt8], file: String) throws(SetupError) {
        let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
        guard bytes.last == 0x0A, let first = lines.first else {
            throw SetupError(.malformed, file, "is no plan, or is cut off: its last line has no end")
        }
        let header = try Header(parsing: Array(first), file: file)
        guard lines.count == header.steps + 1 else {
            throw SetupError(
                .malformed, file, "announces \(header.steps) steps and has \(lines.count - 1); it was cut or changed")
        }
        self.init(header: header, steps: try Self.steps(lines.dropFirst(), header: header, file: file))
    }

    /// Lines of one piece that a core reads at a time.
    private static let linesAtOnce = 1_024

    /// Reads all steps, on all cores; of several that are wrong, the first is reported.
    private static func steps(
        _ lines: ArraySlice<ArraySlice<UInt8>>, header: Header, file: String
    ) throws(SetupError) -> [Step] {
        let count = (lines.count + linesAtOnce - 1) / linesAtOnce
        let pieces = concurrentMap(count) { number in
            let start = lines.startIndex + number * linesAtOnce
            let piece = lines[start..<min(start + linesAtOnce, lines.endIndex)]
            return Result { () throws(SetupError) in
                var steps: [Step] = []
                steps.reserveCapacity(piece.count)
                for (position, line) in zip(piece.indices, piece) {
                    steps.append(try step(line, header: header, place: "\(file), line \(position + 1)"))
                }
                return steps
            }
        }
        var steps: [Step] = []
        steps.reserveCapacity(lines.count)
        for piece in pieces { steps += try piece.get() }
        return steps
    }

    private static func step(
        _ line: ArraySlice<UInt8>, header: Header, place: @autoclosure () -> String
    ) throws(SetupError) -> Step {
        if header.roots == nil, let entry = plainEntry(line), let statement = try? Statement(parsing: entry),
            isOfPlan(statement, header)
        {
            return .entry(SignedStep(statement))
        }
        // Anything unusual, and anything wrong, is read with care.
        var reader = try StrictObject(parsing: Array(line), file: place())
        let step = try step(&reader, header: header)
        try reader.finish()
        return step
    }

    private static let entryOpening = Array("{\"entry\":\"".utf8)
    private static let entryEnd = Array("\"}".utf8)

    /// The entry of a line that is written just as ``bytes`` writes it: one member, nothing escaped.
    private static func plainEntry(_ line: ArraySlice<UInt8>) -> [UInt8]? {
        guard line.starts(with: entryOpening), line.suffix(entryEnd.count).elementsEqual(entryEnd) else { return nil }
        let entry = line.dropFirst(entryOpening.count).dropLast(entryEnd.count)
        // A compact JWS has no other characters, so nothing in it ends the text early.
        let isPlain = entry.allSatisfy { byte in
            byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26 || byte == 0x2D || byte == 0x2E || byte == 0x5F
        }
        return isPlain && entry.count <= Statement.byteLimit ? Array(entry) : nil
    }

    private static func isOfPlan(_ statement: Statement, _ header: Header) -> Bool {
        statement.issuer == header.member && statement.alliance == header.alliance
    }

    private static func step(_ reader: inout StrictObject, header: Header) throws(SetupError) -> Step {
        if reader.optional("entry") != nil {
            let bytes = Array(try reader.string("entry", most: Statement.byteLimit).utf8)
            do throws(AllianceError) {
                let statement = try Statement(parsing: bytes)
                guard isOfPlan(statement, header) else {
                    throw AllianceError(.otherAlliance, "is of another member or alliance than the plan")
                }
                guard header.roots == nil || statement.kind == .roster else {
                    throw AllianceError(.notPermitted, "is no roster, though the plan says that it is of one")
                }
                return .entry(SignedStep(statement))
            } catch {
                throw reader.error("entry", "\(error)")
            }
        }
        let word = try reader.string("kind", most: 32)
        guard let kind = StatementKind(rawValue: word), (kind == .roster) == (header.roots != nil) else {
            throw reader.error("kind", "\"\(word)\" is no kind that this plan may have")
        }
        let payload = try reader.bytes("payload", most: Statement.byteLimit)
        let value = try? JSONValue.parse(payload)
        let issuer = value?["iss"]?.string ?? value?["issuer"]?.string
        guard issuer == header.member, value?["alliance"]?.string == header.alliance.base64url else {
            throw reader.error("payload", "is no statement of this member in this alliance")
        }
        return .draft(Draft(kind: kind, payload: payload))
    }

    /// The file's content.
    public var bytes: [UInt8] {
        var header: JSONObject = [
            "entente-plan": 1, "alliance": .string(alliance.base64url), "member": .string(member),
            "title": .string(title), "zone": .string(zone),
        ]
        header["register"] = register.map { .string($0) }
        header["made"] = .integer(made)
        header["base"] = .integer(Int64(base))
        header["known"] = known.map { .string($0.text) }
        header["officers"] = .array(
            officers.map { ["name": .string($0.name), "key": .string(Base64.encodeURL($0.key))] })
        header["twoOfficers"] = .bool(twoOfficers)
        header["summary"] = .array(summary.map { .string($0) })
        header["documents"] = .array(documents.map(Self.json))
        header["steps"] = .integer(Int64(steps.count))
        header["roots"] = roots.map(Self.json)
        var output = JSONValue.object(header).encoded() + [0x0A]
        for step in steps {
            switch step {
            case .draft(let draft):
                output += "{\"kind\":\"\(draft.kind.rawValue)\",\"payload\":\"".utf8
                draft.payload.withUnsafeBytes { Base64.appendURL($0, to: &output) }
            case .entry(let signed):
                output += Self.entryOpening
                output += signed.escaped
            }
            output += Self.entryEnd
            output.append(0x0A)
        }
        return output
    }

    private static func json(_ roots: PlanRoots) -> JSONValue {
        [
            "threshold": .integer(Int64(roots.threshold)),
            "keys": .array(roots.keys.map { ["name": .string($0.name), "key": .string(Base64.encodeURL($0.key))] }),
            "previous": .string(Base64.encodeURL(roots.previous)),
        ]
    }

    private static func json(_ document: PlanDocument) -> JSONValue {
        var object: JSONObject = [
            "sha256": .string(document.digest.base64url), "size": .integer(document.size),
            "name": .string(document.name), "path": .string(document.path),
        ]
        object["bytes"] = document.bytes.map { .string(Base64.encodeURL($0)) }
        return .object(object)
    }

    /// Reads the plan at a path.
    public init(at path: String) throws(SetupError) {
        try self.init(parsing: try PlainFile.read(path, limit: Self.byteLimit), file: path)
    }
}
