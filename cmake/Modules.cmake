# lockkeeper_module(NAME): the sources below harness/NAME become the static library lockkeeper_NAME, and its
# *_test.cpp the program NAME_test. Each module links what stands before it, so a wrong include fails to link too.
set(LOCKKEEPER_LIBRARIES_SO_FAR "")

add_library(lockkeeper_options INTERFACE)
target_include_directories(lockkeeper_options INTERFACE ${CMAKE_SOURCE_DIR}/harness)
target_compile_options(lockkeeper_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 sees overlapping copies inside std::string's own insert and operator+ (GCC bug 105651) when it optimises.
  target_compile_options(lockkeeper_options INTERFACE -Wno-restrict)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # g++ 13 and 14 take any function of a temporary that returns a reference for one that returns it to the temporary.
  # They also take the empty half of a std::optional that is moved for a use of it (GCC bug 80635).
  target_compile_options(lockkeeper_options INTERFACE -Wno-dangling-reference -Wno-maybe-uninitialized)
endif()
target_compile_definitions(lockkeeper_options INTERFACE LOCKKEEPER_VERSION="${PROJECT_VERSION}")
target_link_libraries(
  lockkeeper_options
  INTERFACE Threads::Threads Boost::headers Boost::program_options fmt::fmt yaml-cpp nlohmann_json::nlohmann_json
            tl::expected ZLIB::ZLIB PkgConfig::PQXX PkgConfig::PQ PkgConfig::SQLITE PkgConfig::XXHASH PkgConfig::ZSTD pg_query benchmark::benchmark)

# How many sources the release preset compiles as one (CMAKE_UNITY_BUILD): parsing headers costs more than what is in
# the sources. So few that two cores stay busy and a compiler stays below the memory that ./dev counts for it. The
# other presets compile each source from what it includes itself, so a missing include shows there.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 6)

function(lockkeeper_module name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/harness/${name}/*.cpp)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")
  if(sources)
    add_library(lockkeeper_${name} STATIC ${sources})
    target_link_libraries(lockkeeper_${name} PUBLIC ${LOCKKEEPER_LIBRARIES_SO_FAR} lockkeeper_options)
  else() # headers and tests alone
    add_library(lockkeeper_${name} INTERFACE)
    target_link_libraries(lockkeeper_${name} INTERFACE ${LOCKKEEPER_LIBRARIES_SO_FAR} lockkeeper_options)
  endif()
  list(PREPEND LOCKKEEPER_LIBRARIES_SO_FAR lockkeeper_${name})
  set(LOCKKEEPER_LIBRARIES_SO_FAR ${LOCKKEEPER_LIBRARIES_SO_FAR} PARENT_SCOPE)
  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE lockkeeper_${name} GTest::gtest GTest::gmock GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE LOCKKEEPER_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                                    LOCKKEEPER_BINARY_DIR="${CMAKE_BINARY_DIR}")
    # Tests are compiled more often than they run for long, and most of what they wait for is a server.
    target_compile_options(${name}_test PRIVATE $<$<CONFIG:Release>:-O1>)
    add_test(NAME ${name} COMMAND ${name}_test)
    set_property(TEST ${name} PROPERTY TIMEOUT 1500)
  endif()
endfunction()

function(lockkeeper_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE ${LOCKKEEPER_LIBRARIES_SO_FAR})
  if(TARGET app_test) # the end-to-end tests run the program itself
    add_dependencies(app_test ${name})
  endif()
endfunction()
