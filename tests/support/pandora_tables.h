// The least of Pandora's tables that a merge looks at, with one agent and one module, for a session
// that uses its schema.
#pragma once

namespace pandora_ha {

inline constexpr char kPandoraTables[] =
    "CREATE TABLE tagente (id_agente INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, nombre "
    "VARCHAR(600)); "
    "CREATE TABLE tagente_modulo (id_agente_modulo INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, "
    "id_agente INT UNSIGNED, nombre TEXT); "
    "CREATE TABLE tagente_datos (id_agente_modulo INT UNSIGNED, datos DOUBLE, utimestamp BIGINT, "
    "KEY (id_agente_modulo, utimestamp)); "
    "CREATE TABLE tevento (id_evento BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, id_agente INT NOT "
    "NULL, evento TEXT, utimestamp BIGINT, id_agentmodule INT NOT NULL DEFAULT 0); "
    "INSERT INTO tagente VALUES (1,'web'); INSERT INTO tagente_modulo VALUES (10,1,'cpu'); "
    "INSERT INTO tevento VALUES (1,1,'of both',1700000000,10)";

}  // namespace pandora_ha
