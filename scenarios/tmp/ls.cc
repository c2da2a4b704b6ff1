#include "scenarios/script/script.h"
#include "scenarios/script/resolve.h"
#include <iostream>
using namespace plimsoll;
int main(int c,char**v){ auto s=FindScripts({v+1,v+c}); if(!s){std::cout<<s.error().message<<"\n";return 2;} for(auto&p:*s){auto r=LoadScript(p); if(!r){std::cout<<r.error().message<<"\n";continue;} for(auto&x:*r){std::cout<<x.Name()<<" "<<x.lines.size()<<" "<<x.config_json<<"\n";}}}
