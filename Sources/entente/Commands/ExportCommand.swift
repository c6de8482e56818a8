import Alliance
import ArgumentParser
import Node

struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write what a member's register says to a file.",
        discussion: """
            One row for each statement in force, in the register's own columns and their order, valid against its \
            definition. The format goes by the name: .csv, .jsonl (JSON lines), or else a folder with a Frictionless data \
            package: datapackage.json and the CSV. Imported again, nothing has to be published.

            An export is not signed: what proves an entry is entente prove. Cells stand as they are; a spreadsheet may take \
            one that begins with = for a formula.

            Examples:
              entente export vasp-licences --out licences.csv
              entente export warnings --member sv --out warnings.jsonl
              entente export vasp-licences --on 2026-01-06 --out vasp-licences-package
            """)

    @Argument(help: "The register, such as vasp-licences.")
    var register: String
    @Option(help: ArgumentHelp("The member whose register it is. Default: this node's own.", valueName: "name"))
    var member: String?
    @Option(help: ArgumentHelp("Only what speaks at this date, one row a key.", valueName: "date"))
    var on: String?
    @Option(help: ArgumentHelp("The file or folder to write.", valueName: "path"))
    var out: String
    @Flag(help: "Leave out the rows that break the definition or contradict each other.")
    var partial = false
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (export, origin) = try await NodeConnection.with(node) { node in
            guard let definition = try await KnownDefinition.read(node, register).definition else {
                throw Failure("\(register): nobody has published its definition")
            }
            let rows = try await RegisterRows.read(node, register, member: member, on: on)
            let name = member ?? node.settings.member
            let status = try await node.get("/v1/status")
            let log = status.list("logs").first { $0.text("member") == (node.member(name) ?? .null).text("name") }
            let origin = RegisterExport.Origin(
                alliance: try await node.get("/v1/context").text("alliance"),
                member: (node.member(name) ?? .null).text("id"), title: node.title(name),
                entries: log?.number("entries") ?? 0, time: Timestamp(seconds: MemberClock.now))
            return (RegisterExport(rows, definition: definition), origin)
        }
        try refuse(export)
        let files = try write(export, origin)
        if output.json {
            return Console.print([
                "files": .array(files.map { .string($0) }), "rows": .integer(Int64(export.rows.count)),
                "leftOut": .integer(Int64(export.refused.count)),
            ])
        }
        let left = export.refused.isEmpty ? "" : ", \(grouped(export.refused.count)) left out"
        Console.print("Wrote \(count(export.rows.count, "row")) of \(origin.title)'s \(register) to \(out)\(left).")
    }

    private func refuse(_ export: RegisterExport) throws {
        guard let first = export.refused.first else { return }
        for one in export.refused.prefix(partial ? 0 : 20) {
            Console.note("  \(one.key), from \(MemberClock.day(one.validFrom.text)): \(one.reason)")
        }
        guard !partial else { return }
        throw Failure(
            "\(count(export.refused.count, "row")) of \(register) cannot be exported (\(first.key): \(first.reason)); "
                + "nothing was written. --partial leaves them out")
    }

    private func write(_ export: RegisterExport, _ origin: RegisterExport.Origin) throws -> [String] {
        let name = out.lowercased()
        if name.hasSuffix(".csv") {
            try PlainFile.write(export.csv, to: out)
            return [out]
        }
        if name.hasSuffix(".jsonl") {
            try PlainFile.write(export.jsonLines, to: out)
            return [out]
        }
        guard !name.hasSuffix(".json"), !name.hasSuffix(".xlsx") else {
            throw Failure("--out \(out): the name must end in .csv or .jsonl, or be that of a folder")
        }
        let csv = export.csv
        try PublicFolder.make(out)
        let files = ["\(out)/datapackage.json", "\(out)/\(export.dataName)"]
        if let there = files.first(where: PlainFile.exists) {
            throw Failure("\(there): there is such a file already; it was left as it is")
        }
        try PlainFile.write(csv, to: files[1])
        try PlainFile.write(export.package(csv, from: origin), to: files[0])
        return files
    }
}
