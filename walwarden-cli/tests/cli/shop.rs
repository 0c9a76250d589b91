//! A small database on a real server, for the tests that need one.

use walwarden_testkit::postgres::{PASSWORD, Postgres, bin_dir, shared};

use crate::scene::Scene;

const MAJOR: u32 = 17;

/// A database with a few tables.
pub(crate) struct Shop {
    pub(crate) server: &'static Postgres,
    pub(crate) name: String,
    pub(crate) dsn: String,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let server = shared(MAJOR);
        let name = server.fresh_database("shop").await;
        server.sql(&name, TABLES).await;
        let dsn = server.dsn(&name);
        Shop { server, name, dsn }
    }

    /// A scene with a key, in which this database is configured as `shop`.
    pub(crate) fn configured(&self) -> Scene {
        let scene = self.scene_with_key();
        let destination = scene.destination();
        scene.run(&["database", "add", "shop", "--dsn", &self.dsn, "--destination", &destination]).succeeds();
        scene
    }

    /// An empty scene whose client programs fit the server.
    pub(crate) fn scene(&self) -> Scene {
        Scene::empty().with_clients(bin_dir(MAJOR))
    }

    /// The same with a key.
    fn scene_with_key(&self) -> Scene {
        Scene::with_key().with_clients(bin_dir(MAJOR))
    }

    /// The DSN of the server's maintenance database.
    pub(crate) fn target(&self) -> String {
        self.server.dsn("postgres")
    }

    /// How many orders a database has.
    pub(crate) async fn orders_in(&self, database: &str) -> i64 {
        let client = self.server.connect(database).await;
        client.query_one("SELECT count(*) FROM orders", &[]).await.unwrap().get(0)
    }

    /// Whether the server has a database of that name.
    pub(crate) async fn has_database(&self, name: &str) -> bool {
        let client = self.server.connect("postgres").await;
        client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await.unwrap().is_some()
    }
}

/// Fails if the server's password stands in a text, in either spelling.
#[track_caller]
pub(crate) fn assert_no_password(text: &str) {
    for spelling in [PASSWORD, "p%40ss", "p@ss"] {
        assert!(!text.contains(spelling), "the password shows in:\n{text}");
    }
}

const TABLES: &str = "
    CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers, body jsonb);
    INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 100) n;
    INSERT INTO orders SELECT n, 1 + n % 100, jsonb_build_object('n', n) FROM generate_series(1, 2000) n;
";
