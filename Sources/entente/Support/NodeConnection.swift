import Alliance
import Node

/// The node, and what it told about the members.
struct NodeConnection {
    let settings: NodeSettings
    let client: NodeClient
    /// All members, in the charter's order.
    let members: [JSONValue]

    /// Connects, does something, and closes.
    static func with<Value>(
        _ options: NodeOptions, _ body: (NodeConnection) async throws -> Value
    ) async throws -> Value {
        let settings = try options.load().settings
        let client = NodeClient(settings: settings)
        do {
            let members = try await client.get("/v1/members").list("members")
            let value = try await body(NodeConnection(settings: settings, client: client, members: members))
            await client.shutdown()
            return value
        } catch {
            await client.shutdown()
            throw error
        }
    }

    /// The member of that short name or id.
    func member(_ name: String) -> JSONValue? { members.first { $0.text("name") == name || $0.text("id") == name } }

    /// The node's own member.
    var own: JSONValue { member(settings.member) ?? .null }

    /// The member's name for people.
    func title(_ name: String) -> String { member(name).map { $0.text("title") } ?? name }

    /// The time of a member's country; of the node's own without a name.
    func clock(_ name: String? = nil) -> MemberClock {
        MemberClock(zone: (name.flatMap { member($0) } ?? own).text("zone"))
    }

    func get(_ path: String, _ query: [(String, String?)] = []) async throws -> JSONValue {
        try await client.get(path, query)
    }
}
