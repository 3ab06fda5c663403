"""The two database roles: `habitat_owner` changes the schema, `habitat_app` serves and cannot.

The local clusters are prepared by this module, and so is an operator's own server:

    HABITAT_OWNER_PASSWORD=… HABITAT_APP_PASSWORD=… python -m habitat.local.roles postgresql://admin@host/postgres
"""

import argparse
import os
import sys
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

DATABASE = "habitat"
OWNER = "habitat_owner"
APP = "habitat_app"


def prepare_database(
    superuser_url: str,
    *,
    owner_password: str,
    app_password: str,
    database: str = DATABASE,
    owner_may_create_databases: bool = False,
) -> None:
    """Create both roles and the database, or bring existing ones to the same state. Safe to run again."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        _role(connection, OWNER, owner_password, "CREATEDB" if owner_may_create_databases else "NOCREATEDB")
        _role(connection, APP, app_password, "NOCREATEDB")
        _may_act_as_owner(connection)
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        if found is None:
            create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'")
            connection.execute(create.format(sql.Identifier(database), sql.Identifier(OWNER)))
        grant_database(connection, database)
    with psycopg.connect(database_url(superuser_url, database), autocommit=True) as connection:
        _grant_schema(connection)


def grant_database(connection: psycopg.Connection, database: str) -> None:
    """Who may connect. Kept apart because a clone of a database does not inherit its privileges."""
    _run(connection, "REVOKE ALL ON DATABASE {database} FROM PUBLIC", database=database)
    _run(connection, "ALTER DATABASE {database} OWNER TO {owner}", database=database)
    # No TEMPORARY: a temporary table could stand in front of a real one in the search path.
    _run(connection, "GRANT CONNECT ON DATABASE {database} TO {app}", database=database)


def database_url(url: str, database: str) -> str:
    """The same server and role, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def _role(connection: psycopg.Connection, role: str, password: str, attribute: str) -> None:
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    # NOSUPERUSER, NOREPLICATION and NOBYPASSRLS are the defaults; naming them needs a superuser, which managed
    # servers do not give.
    statement = sql.SQL("ALTER ROLE {} LOGIN NOCREATEROLE {} PASSWORD {}")
    connection.execute(statement.format(sql.Identifier(role), sql.SQL(attribute), sql.Literal(password)))


def _may_act_as_owner(connection: psycopg.Connection) -> None:
    # A superuser may give databases away; the administrator of a managed server must be a member of the new owner.
    row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    if row is not None and not row[0]:
        _run(connection, "GRANT {owner} TO CURRENT_USER")


def _grant_schema(connection: psycopg.Connection) -> None:
    _run(connection, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
    _run(connection, "GRANT USAGE, CREATE ON SCHEMA public TO {owner}")
    _run(connection, "GRANT USAGE ON SCHEMA public TO {app}")
    defaults = "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public "
    _run(connection, defaults + "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}")
    _run(connection, defaults + "GRANT USAGE, SELECT ON SEQUENCES TO {app}")


def _run(connection: psycopg.Connection, statement: str, database: str = DATABASE) -> None:
    names = {"database": database, "owner": OWNER, "app": APP}
    # The text is this module's own; only names are put in, as identifiers.
    connection.execute(sql.SQL(statement).format(**{k: sql.Identifier(v) for k, v in names.items()}))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m habitat.local.roles", description=__doc__)
    parser.add_argument("superuser_url", help="how an administrator reaches the server")
    parser.add_argument("--database", default=DATABASE)
    arguments = parser.parse_args()
    try:
        owner_password, app_password = os.environ["HABITAT_OWNER_PASSWORD"], os.environ["HABITAT_APP_PASSWORD"]
    except KeyError as missing:
        sys.stderr.write(f"Set {missing.args[0]} to the password the role shall have.\n")
        return 2
    prepare_database(
        arguments.superuser_url,
        owner_password=owner_password,
        app_password=app_password,
        database=arguments.database,
    )
    sys.stdout.write(f"Database {arguments.database} is ready: {OWNER} migrates, {APP} serves.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
