// glibc's setting of its allocator, which Swift's own module of that library leaves out. Declared here alone: to include
// <malloc.h> would make further C types this module's.
int mallopt(int parameter, int value);
