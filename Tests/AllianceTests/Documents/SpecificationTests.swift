import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

@Suite("The specification's files")
struct SpecificationTests {
    @Test("Every vector file is what the code makes, byte for byte", arguments: VectorFile.all)
    func vectors(_ file: VectorFile) throws {
        let made = try file.bytes()
        if SpecificationFiles.areWritten { try SpecificationFiles.write(made, to: file.path) }
        let committed = try SpecificationFiles.read(file.path)
        #expect(
            committed == made,
            "\(file.path) differs from what the code makes; ENTENTE_WRITE_VECTORS=1 writes it anew")
    }

    static let schemaNames = [
        "charter", "roster", "register-statement", "register-descriptor", "attestation", "document", "retraction",
        "endorsement", "approval", "declaration", "proof-file", "plan-header", "plan-step",
    ]

    @Test("Every schema is strict JSON of draft 2020-12 with an id and a title", arguments: schemaNames)
    func schemas(_ name: String) throws {
        let schema = try JSONValue.parse(SpecificationFiles.read("schemas/\(name).schema.json"))
        #expect(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema")
        #expect(schema["$id"] == .string("urn:entente:schema:\(name)"))
        #expect(schema["title"]?.string?.isEmpty == false)
        #expect(schema["type"] == "object")
        #expect(schema["description"]?.string?.isEmpty == false)
    }

    /// A schema's top level against an object: what is required is there, and nothing that is not named.
    private func check(_ object: JSONObject, _ name: String) throws {
        let schema = try JSONValue.parse(SpecificationFiles.read("schemas/\(name).schema.json"))
        for required in schema["required"]?.array ?? [] {
            #expect(object.names.contains(required.string ?? ""), "\(name) requires \(required)")
        }
        let known = schema["properties"]?.object?.names ?? []
        for name in object.names { #expect(known.contains(name), "\(name) is in no schema") }
    }

    @Test("What drafts write is what the schemas name")
    func drafts() throws {
        for (kind, draft) in try StatementSamples.drafts() {
            let object = try #require(try JSONValue.parse(draft.payload).object)
            try check(object, kind == .register ? "register-statement" : kind.rawValue)
        }
        let charter = try #require(try JSONValue.parse(TestAlliance.draft().payload()).object)
        try check(charter, "charter")
        for definition in BuiltInRegisters.all {
            try check(try #require(try JSONValue.parse(definition.descriptor).object), "register-descriptor")
        }
        let proof = try ProofSamples.log().proof("PK-0117")
        try check(try #require(try JSONValue.parse(proof.encoded()).object), "proof-file")
    }
}
