// SPDX-License-Identifier: GPL-2.0-only
int format(int a)
{
    if(a){
	return 1;
    }
	return 0;
}
