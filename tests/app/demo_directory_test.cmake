# A demonstration removes its directory at the end: it must not begin in one that holds a person's files.
file(REMOVE_RECURSE ${DIRECTORY})
file(WRITE ${DIRECTORY}/pandora-ha.yaml "mine")
execute_process(COMMAND ${PROGRAM} demo --directory ${DIRECTORY}
                RESULT_VARIABLE code ERROR_VARIABLE said TIMEOUT 20)
if(NOT code EQUAL 2 OR NOT said MATCHES "Nothing was changed")
  message(FATAL_ERROR "exit ${code}: ${said}")
endif()
file(GLOB left RELATIVE ${DIRECTORY} ${DIRECTORY}/*)
file(READ ${DIRECTORY}/pandora-ha.yaml text)
if(NOT left STREQUAL "pandora-ha.yaml" OR NOT text STREQUAL "mine")
  message(FATAL_ERROR "the directory now holds: ${left}")
endif()
