// The status that a trampoline returns while its library is not loaded. It lies outside every enumeration of
// cuBLAS and NCCL, so a caller tells "not installed" from every answer of the library itself.
#ifndef GOTRAIN_ABI_MISSING_H
#define GOTRAIN_ABI_MISSING_H

#define ABI_MISSING_LIBRARY 9999

#endif
