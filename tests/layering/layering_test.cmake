# The include table of docs/architecture.md is true, and effects that make a run unrepeatable (clocks,
# randomness, sleeping, the environment) stay in base/. Run: cmake -DROOT=... -P layering_test.cmake
cmake_minimum_required(VERSION 3.25)

set(MAY_base        base)
set(MAY_model       base model)
set(MAY_binlog      base model binlog)
set(MAY_decide      base model decide)
set(MAY_port        base model port)
set(MAY_observe     base model port observe)
set(MAY_act         base model port act)
set(MAY_mysql       base model port binlog mysql)
set(MAY_spec        base model port spec)
set(MAY_publish     base model port publish)
set(MAY_substrate   base model port binlog substrate)
set(MAY_loop        base model port observe act decide loop)
set(MAY_api         base model api loop/noticeboard.h)
set(MAY_exporters   base model exporters loop/noticeboard.h)
set(MAY_app         base model decide port binlog observe act mysql spec publish substrate loop api exporters app)

# header pattern | the only folders that may include it
set(LIBRARIES
  "<mysql[./]|mysql"
  "<yaml-cpp/|spec"
  "<cpprest/|substrate/kubernetes"
  "<boost/asio|publish api"
  "<boost/beast|api"
  "<prometheus/|exporters"
  "<spdlog/|base app"
  "<CLI/|app")

set(EFFECTS "system_clock::now|steady_clock::now|random_device|sleep_for|getenv\\(|usleep\\(|[^a-z_]rand\\(")

file(GLOB_RECURSE SOURCES RELATIVE ${ROOT} ${ROOT}/reconciler/*.h ${ROOT}/reconciler/*.cc
     ${ROOT}/exporters/*.h ${ROOT}/exporters/*.cc)
set(BROKEN "")
foreach(source IN LISTS SOURCES)
  string(REGEX REPLACE "^reconciler/" "" place ${source})
  string(REGEX REPLACE "/.*" "" layer ${place})
  if(NOT DEFINED MAY_${layer})
    list(APPEND BROKEN "${source}: the folder ${layer} is not in the table of docs/architecture.md")
    continue()
  endif()
  file(STRINGS ${ROOT}/${source} includes REGEX "^#include")
  foreach(include IN LISTS includes)
    if(include MATCHES "\"(reconciler/)?([a-z_]+)(/[^\"]*)\"")
      set(used ${CMAKE_MATCH_2})
      set(exact ${CMAKE_MATCH_2}${CMAKE_MATCH_3})
      if(NOT used IN_LIST MAY_${layer} AND NOT exact IN_LIST MAY_${layer})
        list(APPEND BROKEN "${source}: ${layer} must not include ${exact}")
      endif()
    endif()
    foreach(rule IN LISTS LIBRARIES)
      string(REPLACE "|" ";" rule "${rule}")
      list(GET rule 0 pattern)
      list(GET rule 1 folders)
      if(include MATCHES "${pattern}")
        separate_arguments(folders)
        set(allowed FALSE)
        foreach(folder IN LISTS folders)
          if(place MATCHES "^${folder}/")
            set(allowed TRUE)
          endif()
        endforeach()
        if(NOT allowed)
          list(APPEND BROKEN "${source}: ${include} belongs to ${folders} only")
        endif()
      endif()
    endforeach()
  endforeach()
  if(NOT layer STREQUAL base)
    file(STRINGS ${ROOT}/${source} effects REGEX "${EFFECTS}")
    foreach(line IN LISTS effects)
      string(STRIP "${line}" line)
      list(APPEND BROKEN "${source}: effects belong to base/: ${line}")
    endforeach()
  endif()
endforeach()
list(LENGTH SOURCES count)
if(BROKEN)
  list(JOIN BROKEN "\n  " text)
  message(FATAL_ERROR "Layers are broken:\n  ${text}")
endif()
message("${count} files keep to the layers.")
