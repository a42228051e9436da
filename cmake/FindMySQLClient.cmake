# Finds the MySQL protocol library and says which of the two it is.
#
# Gives the target pandora_ha_mysql_client and PANDORA_HA_CLIENT_IS_MARIADB. Debian's compat package
# installs a mysqlclient.pc and a libmysqlclient.so that are MariaDB Connector/C, so the library is
# told by a symbol of its headers, never by its name.
include(CheckCXXSymbolExists)

add_library(pandora_ha_mysql_client INTERFACE)
if(PANDORA_HA_MYSQL_CLIENT_ROOT)
  # A library of a newer distribution, run under that distribution's own loader: it may need a newer
  # libc than the one we link against, hence unresolved symbols of shared libraries are allowed.
  set(_root ${PANDORA_HA_MYSQL_CLIENT_ROOT})
  find_path(_mysql_include mysql.h PATHS ${_root}/usr/include/mysql NO_DEFAULT_PATH REQUIRED)
  find_library(_mysql_library mysqlclient
               PATHS ${_root}/usr/lib/x86_64-linux-gnu ${_root}/usr/lib/aarch64-linux-gnu NO_DEFAULT_PATH REQUIRED)
  target_include_directories(pandora_ha_mysql_client SYSTEM INTERFACE ${_mysql_include})
  # Its headers include one another as <mysql/...>. Searched last, so that no other header of that
  # distribution comes before this machine's own.
  target_compile_options(pandora_ha_mysql_client INTERFACE "SHELL:-idirafter ${_root}/usr/include")
  target_link_libraries(pandora_ha_mysql_client INTERFACE ${_mysql_library} -Wl,--allow-shlib-undefined)
  set(CMAKE_REQUIRED_INCLUDES ${_mysql_include})
  # How our programs are run then, also by ctest.
  get_filename_component(_libraries ${_mysql_library} DIRECTORY)
  file(GLOB _loader ${_root}/usr/lib*/ld-linux-*.so.*)
  set(CMAKE_CROSSCOMPILING_EMULATOR "${_loader};--library-path;${_libraries}:/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}")
else()
  pkg_search_module(_mysql_client REQUIRED IMPORTED_TARGET libmariadb mysqlclient)
  target_link_libraries(pandora_ha_mysql_client INTERFACE PkgConfig::_mysql_client)
  set(CMAKE_REQUIRED_INCLUDES ${_mysql_client_INCLUDE_DIRS})
endif()
check_cxx_symbol_exists(MARIADB_PACKAGE_VERSION mysql.h PANDORA_HA_CLIENT_IS_MARIADB)
unset(CMAKE_REQUIRED_INCLUDES)
