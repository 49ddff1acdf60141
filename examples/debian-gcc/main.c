#include <stdio.h>

int main(void) {
    puts("built by zoea");
    return 0;
}
