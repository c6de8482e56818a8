import Foundation
import GRDB

/// The tables, by named migrations that are only ever added to.
///
/// Hot tables have integer keys in the order of appending: `entry.id` = log << 44 | index, `tile.id` = log << 48 |
/// level << 44 | number, `step.id` = log << 51 | index << 11 | position within the statement.
enum Schema {
    static let logBits = 12
    static let indexBits: Int64 = 44

    static func entryID(_ log: Int64, _ index: UInt64) -> Int64 { log << 44 | Int64(index) }
    static func tileID(_ log: Int64, _ level: Int, _ number: UInt64) -> Int64 {
        log << 48 | Int64(level) << 44 | Int64(number)
    }
    static func stepID(_ log: Int64, _ index: UInt64, _ position: Int) -> Int64 {
        log << 51 | Int64(index) << 11 | Int64(position)
    }

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1: logs, registers, signatures, documents") { db in
            try db.execute(sql: logs)
            try db.execute(sql: derived)
            try db.execute(sql: signatures)
        }
        migrator.registerMigration("2: missing documents") { db in
            // Few are missing at a time, however many there are.
            try db.execute(sql: "CREATE INDEX missing_document ON document(digest) WHERE held = 0")
        }
        migrator.registerMigration("3: entries without base64url", migrate: packEntries)
        migrator.registerMigration("4: recent pages and identities") { db in try db.execute(sql: recent) }
        migrator.registerMigration("5: several charters of one version") { db in
            try db.execute(
                sql: """
                    CREATE TABLE known_charter(
                        version INTEGER NOT NULL CHECK (version >= 1),
                        digest BLOB NOT NULL CHECK (length(digest) = 32),
                        file BLOB NOT NULL,
                        PRIMARY KEY(version, digest)
                    ) STRICT, WITHOUT ROWID;
                    INSERT INTO known_charter SELECT version, digest, file FROM charter;
                    DROP TABLE charter;
                    ALTER TABLE known_charter RENAME TO charter;
                    """)
        }
        migrator.registerMigration("6: fork proofs") { db in
            try db.execute(sql: "CREATE TABLE fork(log INTEGER PRIMARY KEY, proof BLOB NOT NULL) STRICT;")
        }
        migrator.registerMigration("7: incarnations") { db in
            try db.execute(
                sql: """
                    -- The newest start of another member's node, as the log's key signed it, and this node's receipt.
                    CREATE TABLE incarnation(
                        log INTEGER PRIMARY KEY, note BLOB NOT NULL, receipt BLOB NOT NULL
                    ) STRICT;
                    -- The starts of this member's own node: whoever knows one that is not here knows a later folder.
                    CREATE TABLE own_incarnation(
                        origin TEXT NOT NULL,
                        number INTEGER NOT NULL CHECK (number >= 1),
                        value BLOB NOT NULL CHECK (length(value) = 16),
                        -- The inode of the database's file then: a copy has another.
                        file INTEGER NOT NULL,
                        PRIMARY KEY(origin, number, value)
                    ) STRICT, WITHOUT ROWID;
                    """)
        }
        return migrator
    }

    /// Writes every entry anew as ``PackedEntry`` has it.
    private static func packEntries(_ db: Database) throws {
        try db.execute(
            sql: """
                -- See PackedEntry: a compact JWS stands without its base64url.
                CREATE TABLE packed_entry(
                    id INTEGER PRIMARY KEY,
                    packed BLOB NOT NULL CHECK (length(packed) > 0)
                ) STRICT;
                """)
        let insert = try HotStatement(db, "INSERT INTO packed_entry(id, packed) VALUES (?, ?)")
        let entries = try Row.fetchCursor(db, sql: "SELECT id, bytes FROM entry ORDER BY id")
        while let row = try entries.next() {
            try insert.run(row[0], PackedEntry.pack(try row.withUnsafeData(atIndex: 1) { [UInt8]($0 ?? Data()) }))
        }
        try db.execute(sql: "DROP TABLE entry; ALTER TABLE packed_entry RENAME TO entry;")
    }

    private static let logs = """
        CREATE TABLE charter(
            version INTEGER PRIMARY KEY CHECK (version >= 1),
            digest BLOB NOT NULL CHECK (length(digest) = 32),
            file BLOB NOT NULL
        ) STRICT;
        CREATE TABLE log(
            id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 4095),
            origin TEXT NOT NULL UNIQUE,
            member TEXT NOT NULL,
            -- Entries held; a batch's end. Never shrinks.
            size INTEGER NOT NULL DEFAULT 0 CHECK (size >= 0),
            -- The tree's right edge: 32 bytes for each bit of size.
            edge BLOB NOT NULL DEFAULT x'' CHECK (length(edge) % 32 = 0),
            -- The newest checkpoint that the log's key signed and that is held whole, as a note with that signature alone.
            head_size INTEGER NOT NULL DEFAULT 0 CHECK (head_size <= size),
            head BLOB,
            -- The largest size that this node's replica key cosigned. Never shrinks.
            cosigned INTEGER NOT NULL DEFAULT 0 CHECK (cosigned <= size),
            -- The newest size that a quorum holds.
            quorum INTEGER NOT NULL DEFAULT 0 CHECK (quorum <= size),
            end_index INTEGER,
            end_reason TEXT
        ) STRICT;
        CREATE TABLE entry(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
        CREATE TABLE tile(id INTEGER PRIMARY KEY, hashes BLOB NOT NULL CHECK (length(hashes) BETWEEN 32 AND 8192)) STRICT;
        -- The first 8 bytes of a statement's identity; few collide, and those are told apart by the entry itself.
        CREATE TABLE identity(prefix INTEGER NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY(prefix, entry)) STRICT, WITHOUT ROWID;
        -- Why an entry does not count; those that count have no row.
        CREATE TABLE ignored(entry INTEGER PRIMARY KEY, reason TEXT NOT NULL) STRICT;
        """

    private static let derived = """
        CREATE TABLE map(
            id INTEGER PRIMARY KEY,
            log INTEGER NOT NULL REFERENCES log(id),
            name TEXT NOT NULL,
            count INTEGER NOT NULL,
            root BLOB NOT NULL CHECK (length(root) = 32),
            UNIQUE(log, name)
        ) STRICT;
        CREATE TABLE row(
            map INTEGER NOT NULL,
            key BLOB NOT NULL,
            bytes BLOB NOT NULL CHECK (length(bytes) % 40 = 0),
            emptied INTEGER NOT NULL,
            -- The newest step of the key's history.
            last INTEGER NOT NULL,
            PRIMARY KEY(map, key)
        ) STRICT, WITHOUT ROWID;
        -- A key's history as a chain: which step came before this one. The first has no row.
        CREATE TABLE step(id INTEGER PRIMARY KEY, previous INTEGER NOT NULL) STRICT;
        CREATE TABLE page(map INTEGER NOT NULL, page INTEGER NOT NULL, leaves BLOB NOT NULL, PRIMARY KEY(map, page)) STRICT, WITHOUT ROWID;
        -- Each page's hash, apart from its leaves so that a map opens by reading little.
        CREATE TABLE page_hash(map INTEGER NOT NULL, page INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY(map, page)) STRICT, WITHOUT ROWID;
        """

    private static let recent = """
        -- The size up to which the tables identity, page and page_hash are written; see RecentTables.
        ALTER TABLE log ADD COLUMN settled INTEGER NOT NULL DEFAULT 0 CHECK (settled BETWEEN 0 AND size);
        UPDATE log SET settled = size;
        -- Pages written since then in the order of writing, also those that were written again later: log << 44 | number.
        CREATE TABLE recent_page(
            id INTEGER PRIMARY KEY,
            hash BLOB NOT NULL CHECK (length(hash) = 32),
            leaves BLOB NOT NULL
        ) STRICT;
        -- Where a page's newest form stands in recent_page; -1 where there is no such page any more.
        CREATE TABLE recent_place(map INTEGER NOT NULL, page INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY(map, page)) STRICT, WITHOUT ROWID;
        CREATE TABLE recent_identity(log INTEGER NOT NULL, prefix INTEGER NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY(log, prefix, entry)) STRICT, WITHOUT ROWID;
        """

    private static let signatures = """
        -- Checkpoints whose signatures are kept: the newest, and the newest that a quorum holds.
        CREATE TABLE checkpoint(
            log INTEGER NOT NULL,
            size INTEGER NOT NULL,
            root BLOB NOT NULL CHECK (length(root) = 32),
            note BLOB NOT NULL,
            PRIMARY KEY(log, size)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE cosignature(
            log INTEGER NOT NULL,
            size INTEGER NOT NULL,
            member TEXT NOT NULL,
            time INTEGER NOT NULL,
            line TEXT NOT NULL,
            PRIMARY KEY(log, size, member)
        ) STRICT, WITHOUT ROWID;
        -- The first quorum of every checkpoint that ever had one ("published no later than").
        CREATE TABLE first_quorum(log INTEGER NOT NULL, size INTEGER NOT NULL, note BLOB NOT NULL, PRIMARY KEY(log, size)) STRICT, WITHOUT ROWID;
        -- Two heads of one log that cannot both be true.
        CREATE TABLE contradiction(log INTEGER PRIMARY KEY, ours BLOB, other BLOB NOT NULL) STRICT;
        CREATE TABLE document(
            digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
            size INTEGER NOT NULL,
            held INTEGER NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID;
        """
}
