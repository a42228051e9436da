# The command line of the whole program. Inputs: PROGRAM.
set(ENV{PANDORA_HA_SOCKET} /nonexistent/of-the-environment)

function(expect said)
  execute_process(COMMAND ${PROGRAM} ${ARGN} OUTPUT_VARIABLE output ERROR_VARIABLE output)
  string(FIND "${output}" "${said}" found)
  if(found EQUAL -1)
    message(SEND_ERROR "pandora-ha ${ARGN}: expected \"${said}\", got:\n${output}")
  endif()
endfunction()

# A second manager on the host must not get what was meant for the first.
foreach(verb status explain resume ack)
  expect(/nonexistent/of-the-line ${verb} --socket /nonexistent/of-the-line)
  expect(/nonexistent/of-the-environment ${verb})
endforeach()
expect("did you mean 'status'?" statsu)
expect(0. --version)
