# One helper per kind of target. Headers sit beside sources and are included from the repository's
# root, so a layer's DEPS line is the whole of what it may see; tests/layering checks the includes.

add_library(pandora_ha_options INTERFACE)
target_compile_features(pandora_ha_options INTERFACE cxx_std_20)
target_include_directories(pandora_ha_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(pandora_ha_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Wswitch-enum
  -fstack-protector-strong $<$<BOOL:${PANDORA_HA_WERROR}>:-Werror>
  # GCC 12 sees overlaps inside std::string that are none (its bug 105651), when it optimises.
  $<$<AND:$<CONFIG:Release>,$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)
if(PANDORA_HA_SANITIZE)
  target_compile_options(pandora_ha_options INTERFACE
    -fsanitize=${PANDORA_HA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(pandora_ha_options INTERFACE -fsanitize=${PANDORA_HA_SANITIZE})
endif()

# pandora_ha_library(NAME SOURCES ... DEPS ... PRIVATE_DEPS ...)
#   makes pandora_ha_NAME and the alias pandora_ha::NAME. Without SOURCES: a header-only layer.
#   DEPS are what the headers expose; PRIVATE_DEPS (third-party libraries) stay behind them.
function(pandora_ha_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  set(target pandora_ha_${name})
  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES})
    target_link_libraries(${target} PUBLIC pandora_ha_options ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE pandora_ha_options ${ARG_DEPS})
  endif()
  add_library(pandora_ha::${name} ALIAS ${target})
endfunction()

# pandora_ha_test(NAME LABEL label SOURCES ... DEPS ... [TIMEOUT seconds] [SERIAL] [LOCK what])
#   one GoogleTest program per folder; every test becomes a ctest entry with the label. No two with the same LOCK run
#   at the same time.
function(pandora_ha_test name)
  cmake_parse_arguments(ARG "SERIAL" "LABEL;TIMEOUT;LOCK" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock_main)
  target_compile_definitions(${name} PRIVATE
    PANDORA_HA_SOURCE_DIR="${PROJECT_SOURCE_DIR}" PANDORA_HA_BINARY_DIR="${PROJECT_BINARY_DIR}")
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT} RUN_SERIAL "${ARG_SERIAL}" RESOURCE_LOCK "${ARG_LOCK}")
endfunction()
