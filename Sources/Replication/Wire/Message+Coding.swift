internal import TransparencyLog

extension Message {
    /// The type bytes.
    enum Kind: UInt8, CaseIterable {
        case hello = 1
        case head = 2
        case signatures = 3
        case digest = 4
        case heads = 5
        case wantRange = 6
        case wantDocument = 7
        case wantHead = 8
        case charterOffer = 9
        case wantCharter = 10
        case charter = 11
        case refused = 12
        case wantFresh = 13
        case neighbours = 14
        case incarnation = 15
        case forkProof = 16
        case summary = 17
    }

    /// The message as one frame, its length first.
    ///
    /// The caller keeps to ``WireLimits``: Replication does for all that it sends, except for a charter, which the
    /// shell supplies.
    public var frame: [UInt8] {
        var writer = FieldWriter()
        writer.write(UInt32(0))
        encode(into: &writer)
        writer.patchLength()
        return writer.bytes
    }

    private func encode(into writer: inout FieldWriter) {
        writer.write(kind.rawValue)
        switch self {
        case .hello(let hello): hello.encode(into: &writer)
        case .head(let head):
            writer.write(head.note)
            writer.write(head.inlineFrom)
            writer.write(head.inlineEntries)
        case .signatures(let set): set.encode(into: &writer)
        case .digest(let digest): writer.write(digest)
        case .heads(let page): page.encode(into: &writer)
        case .wantRange(let request):
            writer.write(request.request.number)
            writer.write(request.origin)
            writer.write(request.from)
            writer.write(request.headSize)
            writer.write(request.headRoot)
        case .wantDocument(let digest, let offset):
            writer.write(digest)
            writer.write(offset)
        case .wantHead(let origin), .wantFresh(let origin): writer.write(origin)
        case .charterOffer(let version, let digest):
            writer.write(version)
            writer.write(digest)
        case .wantCharter(let version): writer.write(version)
        case .charter(let version, let bytes):
            writer.write(version)
            writer.write(bytes)
        case .refused(let refusal):
            writer.write(refusal.request.number)
            writer.write(refusal.reason.rawValue)
            writer.write(refusal.text)
        case .forkProof(let bytes): writer.write(bytes)
        case .incarnation(let news):
            writer.write(news.note)
            writer.write(UInt32(news.receipts.count))
            for receipt in news.receipts { writer.write(receipt) }
        case .neighbours(let members):
            writer.write(UInt32(members.count))
            for member in members { writer.write(member) }
        case .summary(let heads):
            writer.write(UInt32(heads.count))
            for head in heads {
                writer.write(head.origin)
                writer.write(head.digest)
            }
        }
    }

    var kind: Kind {
        switch self {
        case .hello: .hello
        case .head: .head
        case .signatures: .signatures
        case .digest: .digest
        case .heads: .heads
        case .wantRange: .wantRange
        case .wantDocument: .wantDocument
        case .wantHead: .wantHead
        case .charterOffer: .charterOffer
        case .wantCharter: .wantCharter
        case .charter: .charter
        case .refused: .refused
        case .wantFresh: .wantFresh
        case .neighbours: .neighbours
        case .forkProof: .forkProof
        case .incarnation: .incarnation
        case .summary: .summary
        }
    }

    /// Reads the fields of a frame whose type is known.
    init(_ kind: Kind, _ reader: inout FieldReader) throws(Rejection) {
        switch kind {
        case .hello: self = .hello(try Hello(&reader))
        case .head: self = .head(try Announcement(&reader))
        case .signatures: self = .signatures(try SignatureSet(&reader))
        case .digest: self = .digest(try reader.hash())
        case .heads: self = .heads(try HeadsPage(&reader))
        case .wantRange:
            self = .wantRange(
                RangeRequest(
                    request: RequestID(try reader.uint64()), origin: try reader.origin(), from: try reader.uint64(),
                    headSize: try reader.uint64(), headRoot: try reader.hash()))
        case .wantDocument: self = .wantDocument(digest: try reader.hash(), offset: try reader.uint64())
        case .wantHead: self = .wantHead(origin: try reader.origin())
        case .charterOffer: self = .charterOffer(version: try reader.uint64(), digest: try reader.hash())
        case .wantCharter: self = .wantCharter(version: try reader.uint64())
        case .charter:
            self = .charter(
                version: try reader.uint64(), bytes: try reader.byteString(limit: WireLimits.charterBytes))
        case .refused:
            self = .refused(
                Refusal(
                    request: RequestID(try reader.uint64()),
                    reason: Refusal.Reason(rawValue: try reader.uint8()) ?? .other,
                    text: try reader.text(limit: WireLimits.refusalBytes)))
        case .wantFresh: self = .wantFresh(origin: try reader.origin())
        case .forkProof: self = .forkProof(try reader.byteString(limit: WireLimits.forkProofBytes))
        case .incarnation: self = .incarnation(try IncarnationNews(&reader))
        case .neighbours: self = .neighbours(try reader.members())
        case .summary: self = .summary(try reader.summary())
        }
        try reader.finish()
    }
}

extension FieldReader {
    fileprivate mutating func origin() throws(Rejection) -> String {
        let origin = try text(limit: WireLimits.originBytes)
        if origin.isEmpty { throw Rejection(.malformedFrame, "an origin is empty") }
        return origin
    }

    fileprivate mutating func members() throws(Rejection) -> [String] {
        let count = try count(limit: WireLimits.neighbours)
        var result: [String] = []
        for _ in 0..<count { result.append(try text(limit: WireLimits.memberBytes)) }
        return result
    }
}

extension FieldReader {
    fileprivate mutating func summary() throws(Rejection) -> [HeadSummary] {
        let count = try count(limit: WireLimits.headsCount)
        var result: [HeadSummary] = []
        for _ in 0..<count {
            let head = HeadSummary(origin: try origin(), digest: try hash())
            if let last = result.last, !last.origin.precedes(head.origin) {
                throw Rejection(.malformedFrame, "a summary of heads is not in order")
            }
            result.append(head)
        }
        return result
    }
}

extension Hello {
    fileprivate func encode(into writer: inout FieldWriter) {
        writer.write(protocolVersion)
        writer.write(alliance)
        writer.write(charterVersion)
        writer.write(charterDigest)
        writer.write(member)
        writer.write(node)
        writer.write(incarnation)
        writer.write(features)
    }

    fileprivate init(_ reader: inout FieldReader) throws(Rejection) {
        self.init(
            protocolVersion: try reader.uint64(), alliance: try reader.hash(), charterVersion: try reader.uint64(),
            charterDigest: try reader.hash(), member: try reader.text(limit: WireLimits.memberBytes),
            node: try reader.text(limit: WireLimits.nodeNameBytes),
            incarnation: try reader.byteString(limit: WireLimits.incarnationBytes), features: try reader.uint64())
        guard incarnation.isEmpty || incarnation.count == WireLimits.incarnationBytes else {
            throw Rejection(.malformedFrame, "an incarnation has 16 bytes or none")
        }
    }
}

extension Announcement {
    fileprivate init(_ reader: inout FieldReader) throws(Rejection) {
        self.init(
            note: try reader.byteString(limit: WireLimits.noteBytes), inlineFrom: try reader.uint64(),
            inlineEntries: try reader.byteString(limit: WireLimits.inlineBytes))
        if inlineEntries.isEmpty && inlineFrom != 0 {
            throw Rejection(.malformedFrame, "a size without inline entries")
        }
    }
}

extension IncarnationNews {
    fileprivate init(_ reader: inout FieldReader) throws(Rejection) {
        self.init(note: try reader.byteString(limit: WireLimits.incarnationNoteBytes))
        let count = try reader.count(limit: WireLimits.incarnationReceipts)
        for _ in 0..<count { receipts.append(try reader.byteString(limit: WireLimits.incarnationNoteBytes)) }
    }
}

extension SignatureSet {
    fileprivate func encode(into writer: inout FieldWriter) {
        writer.write(origin)
        writer.write(size)
        writer.write(root)
        writer.write(UInt32(lines.count))
        for line in lines { writer.write(line) }
    }

    fileprivate init(_ reader: inout FieldReader) throws(Rejection) {
        self.init(origin: try reader.origin(), size: try reader.uint64(), root: try reader.hash(), lines: [])
        let count = try reader.count(limit: WireLimits.signatureLines)
        var total = 0
        for _ in 0..<count {
            let line = try reader.byteString(limit: WireLimits.signatureLineBytes)
            total += line.count
            guard total <= WireLimits.signaturesBytes else {
                throw Rejection(.oversizedFrame, "the signatures have more than \(WireLimits.signaturesBytes) bytes")
            }
            lines.append(line)
        }
    }
}

extension HeadsPage {
    fileprivate func encode(into writer: inout FieldWriter) {
        writer.write(after)
        writer.write(through)
        writer.write(UInt32(notes.count))
        for note in notes { writer.write(note) }
    }

    fileprivate init(_ reader: inout FieldReader) throws(Rejection) {
        self.init(
            after: try reader.text(limit: WireLimits.originBytes),
            through: try reader.text(limit: WireLimits.originBytes),
            notes: [])
        guard through.isEmpty || after.precedes(through) else {
            throw Rejection(.malformedFrame, "a page of heads ends before it starts")
        }
        let count = try reader.count(limit: WireLimits.headsCount)
        var total = 0
        for _ in 0..<count {
            let note = try reader.byteString(limit: WireLimits.noteBytes)
            total += note.count
            guard total <= WireLimits.headsBytes else {
                throw Rejection(.oversizedFrame, "a page of heads has more than \(WireLimits.headsBytes) bytes")
            }
            notes.append(note)
        }
    }
}
