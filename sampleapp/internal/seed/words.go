package seed

import "strings"

// The words that names and titles are put together from. Changing a list
// changes the seed of new databases and leaves seeded ones as they are.

func firstNames() []string {
	return strings.Fields(`Ada Anna Aylin Bruno Carla Chidi Dalia Emil Farah Goran Hana Igor Ines Jakob Jun
		Karim Lena Lucia Malik Marta Nadia Nikos Olga Oskar Paula Ravi Rosa Samir Sofia Tariq Uma Vera Wanda
		Xenia Yara Yusuf Zoe`)
}

func lastNames() []string {
	return strings.Fields(`Abel Baker Castro Diallo Ekholm Fischer Garcia Haas Ibrahim Jansen Kaya Lang Moreau
		Nowak Okafor Petrov Quist Rossi Sato Tanaka Ueda Vogel Weber Young Zidane`)
}

func adjectives() []string {
	return strings.Fields(`amber brisk calm daring even frosty gentle hollow iron jolly keen lively mellow noble
		olive plain quiet rustic silver tidy upright vivid woolen young`)
}

func nouns() []string {
	return strings.Fields(`anchor basket candle drum easel fork globe hammer inkwell jar kettle lantern mirror
		needle oar pencil quilt rope saddle teapot umbrella vase whistle yarn`)
}
