/* In place of Mesa's debug options: none. */
#pragma once

#define INTEL_DEBUG(flag) 0
